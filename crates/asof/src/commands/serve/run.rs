//! The server's life: start, serve, finish.

use std::path::Path;

use asof_server::{Config, ServeError, Server};
use asof_store::{Health, Store};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Exit, Failure};
use crate::log;
use crate::output::Output;
use crate::webhook::hook::Hook;
use crate::webhook::teller::Tellers;

/// Whether the configuration makes sense, all of it.
pub(super) fn check(config: &Config) -> Result<(), Failure> {
    config.check().map_err(|error| Failure::usage(format!("configuration: {error}")))?;
    hooks(config)?;
    log::check(&config.log.filter)
}

/// The webhooks, with their secrets.
fn hooks(config: &Config) -> Result<Vec<Hook>, Failure> {
    config.webhooks.iter().map(Hook::open).collect()
}

/// Serves the store in `data` until a signal comes.
pub(super) fn serve(config: &Config, data: &Path, out: &mut Output) -> Result<Exit, Failure> {
    log::start(&config.log.filter, config.log.format)?;
    // It accepts and waits for signals; the server has threads of its own to speak with clients.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if !Store::is_in(data) {
        // A start that comes to nothing leaves no store behind.
        runtime.block_on(Server::rehearse(config)).map_err(|error| refused(&error))?;
    }
    let store = Store::open(data, config.store.options())?;
    let served = runtime.block_on(listen(config, data, &store, out));
    drop(runtime);
    // Also where it did not come to serving.
    store.close();
    served?;
    tracing::info!("stopped; all that was acknowledged is on disk");
    Ok(Exit::Done)
}

async fn listen(
    config: &Config,
    data: &Path,
    store: &Store,
    out: &mut Output,
) -> Result<(), Failure> {
    // Before anybody is told to press Ctrl-C.
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let server = Server::bind(store.clone(), config).await.map_err(|error| refused(&error))?;
    // They end with this function, before the store is closed.
    let _tellers = Tellers::start(hooks(config)?, store, data, &server.webhook_figures())?;
    greet(config, data, &server, store, out)?;
    server.run(told_to_stop(interrupt, terminate)).await;
    Ok(())
}

async fn told_to_stop(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
}

fn refused(error: &ServeError) -> Failure {
    match error {
        ServeError::Listen(..) => {
            Failure::unavailable(format!("{error}; choose another address with --listen"))
        }
        ServeError::Threads(_) => Failure::unavailable(error.to_string()),
        ServeError::NoToken => {
            Failure::usage(format!("{error}: `asof token create ops --role operator --data DIR`"))
        }
        ServeError::Config(_) | ServeError::Tls(_) => Failure::usage(error.to_string()),
    }
}

fn greet(
    config: &Config,
    data: &Path,
    server: &Server,
    store: &Store,
    out: &mut Output,
) -> Result<(), Failure> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let time = store.time();
    out.line(&format!("asof listens on {scheme}://{}", server.local_addr()))?;
    out.line(&format!("data in {}", data.display()))?;
    out.line(&format!("epoch {}, closed {}", time.epoch, time.closed))?;
    out.line("stop with Ctrl-C")?;
    out.flush()?;
    match store.health() {
        Health::Writable => {}
        Health::Alarmed(why) => tracing::warn!("{why}"),
        Health::ReadOnly(why) => tracing::error!("read-only: {why}"),
    }
    Ok(())
}
