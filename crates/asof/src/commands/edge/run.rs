//! The edge's life: start, serve, reload, finish.

use std::sync::Arc;

use asof_edge::{Caching, EdgeError, Engine, Plan, Reloader, SpanSink};
use asof_env::{SystemClock, SystemRandom};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::traces::Told;
use super::{Edge, traces};
use crate::failure::{Exit, Failure};
use crate::log;
use crate::output::Output;

/// Whether an edge would start with `plan`, its listeners aside.
pub(super) fn check(plan: &Plan, log: &str) -> Result<(), Failure> {
    log::check(log)?;
    traces::check(plan)?;
    asof_edge::check::<Caching>(plan).map_err(|error| refused(&error))
}

/// Serves until a signal comes.
pub(super) fn serve(edge: &Edge, plan: Plan, out: &mut Output) -> Result<Exit, Failure> {
    log::start(&edge.log, edge.log_format.into())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let told = Told::begin(&plan)?;
    runtime.block_on(listen(edge, plan, told.sink(), out))?;
    told.end();
    tracing::info!("stopped");
    Ok(Exit::Done)
}

async fn listen(
    edge: &Edge,
    plan: Plan,
    sink: Option<Arc<dyn SpanSink>>,
    out: &mut Output,
) -> Result<(), Failure> {
    // Before anybody is told to press Ctrl-C.
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let hang_up = signal(SignalKind::hangup())?;
    let scheme = if plan.tls.is_some() { "https" } else { "http" };
    let memory = plan.limits.memory;
    let running = asof_edge::Edge::bind(plan, Arc::new(SystemClock), |forwarder| {
        Caching::watched(forwarder, Arc::new(SystemRandom), Arc::new(SystemClock), memory, sink)
    })
    .await
    .map_err(|error| refused(&error))?;
    let addresses = running.addresses();
    out.line(&format!("asof edge listens on {scheme}://{}", addresses.ingress))?;
    out.line(&format!("admin on http://{}", addresses.admin))?;
    if let Some(preview) = addresses.preview {
        out.line(&format!("shows what is to come on http://{preview}"))?;
    }
    for (service, address) in &addresses.egress {
        out.line(&format!("{service} calls others through http://{address}"))?;
    }
    out.line("stop with Ctrl-C")?;
    out.flush()?;
    let reloader = running.reloader();
    tokio::select! {
        () = running.run(told_to_stop(interrupt, terminate)) => {}
        () = reload_when_told(edge, reloader, hang_up) => {}
    }
    Ok(())
}

async fn told_to_stop(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
}

/// Reads the configuration again at each SIGHUP. Never returns.
async fn reload_when_told<E: Engine>(edge: &Edge, reloader: Reloader<E>, mut hang_up: Signal) {
    loop {
        if hang_up.recv().await.is_none() {
            core::future::pending::<()>().await;
        }
        // A small file, read seldom: it may hold up one worker for the moment it takes.
        let plan = match Plan::load(edge.config()) {
            Ok(plan) => plan,
            Err(error) => {
                tracing::error!("not reloaded, nothing has changed: {error}");
                continue;
            }
        };
        match reloader.reload(plan).await {
            Ok(differences) => tracing::info!(changes = differences.len(), "reloaded"),
            Err(error) => tracing::error!("not reloaded, nothing has changed: {error}"),
        }
    }
}

fn refused(error: &EdgeError) -> Failure {
    match error {
        EdgeError::Listen(..) => Failure::unavailable(format!("{error}; choose another address")),
        _ => Failure::usage(error.to_string()),
    }
}
