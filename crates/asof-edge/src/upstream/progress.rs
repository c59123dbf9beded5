//! A request body that can be seen to move, so that a long upload is not taken for a slow answer.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{Body, BodyError};

/// How far a request body has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    frames: AtomicU64,
    /// Whether the client is waited for.
    waiting: AtomicBool,
}

impl Progress {
    /// Frames so far.
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Whether the client is waited for, which its own time-out bounds.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A body that reports its progress.
#[derive(Debug)]
pub(crate) struct Watched {
    body: Body,
    progress: Arc<Progress>,
}

/// `body`, and where to look how far it has come.
pub(crate) fn watched(body: Body) -> (Body, Arc<Progress>) {
    let progress = Arc::new(Progress::default());
    if body.is_end_stream() {
        return (body, progress);
    }
    (Body::boxed(Watched { body, progress: Arc::clone(&progress) }), progress)
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.progress.waiting.store(polled.is_pending(), Ordering::Relaxed);
        if polled.is_ready() {
            self.progress.frames.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.progress.waiting.store(false, Ordering::Relaxed);
    }
}
