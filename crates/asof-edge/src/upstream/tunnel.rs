//! Upgraded connections: bytes both ways, no longer HTTP.

use std::sync::Arc;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{sleep, timeout};

use super::Shared;
use super::pool::Lease;
use crate::limits;

/// Joins the two connections once both have switched. `None` where there are too many tunnels.
pub(super) fn open(
    shared: &Shared,
    client: OnUpgrade,
    service: OnUpgrade,
    lease: Lease,
) -> Option<()> {
    let place = Arc::clone(&shared.tunnels).try_acquire_owned().ok()?;
    let mut stopping = shared.stopping.clone();
    let open = shared.metrics.tunnels.clone();
    tokio::spawn(async move {
        open.inc();
        let joined = async {
            let both = async { tokio::try_join!(client, service) };
            match timeout(limits::HEADER_TIMEOUT, both).await {
                Ok(Ok((client, service))) => join(client, service).await,
                Ok(Err(error)) => tracing::debug!(%error, "an upgrade failed"),
                Err(_) => tracing::debug!("an upgrade took too long"),
            }
        };
        tokio::select! {
            () = joined => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        open.dec();
        drop((place, lease));
    });
    Some(())
}

/// Moves bytes until both sides have ended, or nothing comes for long.
async fn join(client: Upgraded, service: Upgraded) {
    let (from_client, to_client) = split(TokioIo::new(client));
    let (from_service, to_service) = split(TokioIo::new(service));
    let moved = std::sync::atomic::AtomicU64::new(0);
    let both = async {
        tokio::join!(copy(from_client, to_service, &moved), copy(from_service, to_client, &moved),)
    };
    let mut both = core::pin::pin!(both);
    let mut seen = 0;
    loop {
        tokio::select! {
            _ = &mut both => return,
            () = sleep(limits::TUNNEL_IDLE) => {
                let now = moved.load(std::sync::atomic::Ordering::Relaxed);
                if now == seen {
                    return;
                }
                seen = now;
            }
        }
    }
}

async fn copy(
    mut from: ReadHalf<TokioIo<Upgraded>>,
    mut to: WriteHalf<TokioIo<Upgraded>>,
    moved: &std::sync::atomic::AtomicU64,
) {
    let mut buffer = vec![0; limits::TUNNEL_BUFFER_BYTES];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        moved.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let Some(bytes) = buffer.get(..count) else { break };
        if to.write_all(bytes).await.is_err() || to.flush().await.is_err() {
            break;
        }
    }
    // The other direction may still have something to say; an error means that it has not.
    let _ = to.shutdown().await;
}
