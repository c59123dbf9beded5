//! Connections that wait for their next request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::client::conn::{http1, http2};
use tokio::time::{Instant, timeout};

use super::instance::InFlight;
use crate::body::Body;
use crate::limits;

/// What requests are sent by over one connection.
#[derive(Debug)]
pub(crate) enum Sender {
    /// HTTP/1.1: one request at a time.
    One(http1::SendRequest<Body>),
    /// HTTP/2: many.
    Two(http2::SendRequest<Body>),
}

/// The connections to one instance.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    /// The HTTP/2 connection. Whoever finds none makes it while the others wait.
    pub(crate) shared: tokio::sync::Mutex<Option<http2::SendRequest<Body>>>,
}

#[derive(Debug)]
struct Idle {
    sender: http1::SendRequest<Body>,
    since: Instant,
}

impl Pool {
    /// The connection that was used last and is still open: the others may age and go.
    pub(crate) async fn take(&self) -> Option<http1::SendRequest<Body>> {
        loop {
            let mut idle = self.pop()?;
            if idle.since.elapsed() > limits::IDLE_CONNECTION_AGE_MAX {
                // All that is left is older.
                self.lock().clear();
                return None;
            }
            let ready = timeout(limits::REUSE_WAIT, idle.sender.ready()).await;
            if matches!(ready, Ok(Ok(()))) {
                return Some(idle.sender);
            }
        }
    }

    fn pop(&self) -> Option<Idle> {
        self.lock().pop_back()
    }

    fn put(&self, sender: http1::SendRequest<Body>) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() >= limits::IDLE_CONNECTIONS_MAX {
            idle.pop_front();
        }
        idle.push_back(Idle { sender, since: Instant::now() });
    }

    /// Drops what has waited too long.
    pub(crate) fn sweep(&self) {
        self.lock().retain(|idle| {
            idle.since.elapsed() <= limits::IDLE_CONNECTION_AGE_MAX && !idle.sender.is_closed()
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request under way, with the connection that is free again when its answer was read.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) in_flight: InFlight,
    pub(crate) sender: Option<http1::SendRequest<Body>>,
}

impl Lease {
    /// The answer was read to its end: the connection may serve the next request.
    pub(crate) fn give_back(mut self) {
        let Some(mut sender) = self.sender.take() else {
            return;
        };
        let instance = Arc::clone(&self.in_flight.0);
        if sender.is_ready() {
            instance.pool.put(sender);
            return;
        }
        // The last bytes are still being put away, or the request body is still being sent.
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(limits::REUSE_WAIT, sender.ready()).await {
                instance.pool.put(sender);
            }
        });
    }
}
