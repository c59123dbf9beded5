//! The server's life: start, serve, finish.

use core::time::Duration;

use asof_store::{Health, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use super::config::{Config, LogFormat};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How long requests under way may take to finish once the server is told to stop. Followers of
/// the feed would go on for ever.
const FINISH_MAX: Duration = Duration::from_secs(10);

/// Whether a server of this configuration may start.
pub(super) fn check(config: &Config) -> Result<(), Failure> {
    if !config.listen.ip().is_loopback() && !config.tls_terminated_elsewhere {
        return Err(Failure::usage(format!(
            "{} can be reached from other machines, and tokens and data would travel in the \
             clear: listen on 127.0.0.1, or put TLS in front and pass --tls-terminated-elsewhere",
            config.listen
        )));
    }
    filter(config).map(drop)
}

/// Serves until a signal comes.
pub(super) fn serve(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    start_log(config)?;
    let store = Store::open(&config.data, config.store.clone())?;
    let served = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(listen(config, &store, out)));
    store.close();
    served?;
    tracing::info!("stopped; all that was acknowledged is on disk");
    Ok(Exit::Done)
}

async fn listen(config: &Config, store: &Store, out: &mut Output) -> Result<(), Failure> {
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        Failure::unavailable(format!(
            "cannot listen on {}: {error}; choose another with --listen",
            config.listen
        ))
    })?;
    greet(config, &listener, store, out)?;
    let (stop, stopped) = watch::channel(());
    let mut terminate = signal(SignalKind::terminate())?;
    let signalled = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
        drop(stop);
    };
    let router = crate::local::router(store.clone())?;
    let serving = axum::serve(listener, router).with_graceful_shutdown(signalled);
    tokio::select! {
        served = serving => served?,
        () = give_up(stopped) => tracing::warn!("some requests did not finish in time"),
    }
    Ok(())
}

/// Returns when the time to finish is over.
async fn give_up(mut stopped: watch::Receiver<()>) {
    // An error says that the sender is gone, which is the signal.
    while stopped.changed().await.is_ok() {}
    tokio::time::sleep(FINISH_MAX).await;
}

fn greet(
    config: &Config,
    listener: &TcpListener,
    store: &Store,
    out: &mut Output,
) -> Result<(), Failure> {
    let address = listener.local_addr()?;
    let time = store.time();
    out.line(&format!("asof listens on http://{address}"))?;
    out.line(&format!("data in {}", config.data.display()))?;
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

fn start_log(config: &Config) -> Result<(), Failure> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter(config)?)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

fn filter(config: &Config) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(&config.log_filter)
        .map_err(|error| Failure::usage(format!("log filter `{}`: {error}", config.log_filter)))
}
