//! What lies between HTTP and a socket: a bound on how long a client may take nothing of its
//! answer, and small answers in one piece.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, IoSlice};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Largest answer that is put together before it is written, in bytes: each connection keeps a
/// buffer of that size.
const JOINED_BYTES_MAX: usize = 8 << 10;

/// A socket, or TLS over one.
#[derive(Debug)]
pub struct Stream<S> {
    inner: S,
    write_timeout: Duration,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Head and body of a small answer.
    joined: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Around a socket, of which no write may wait longer than this.
    pub fn new(inner: S, write_timeout: Duration) -> Self {
        Self { inner, write_timeout, stalled: None, joined: Vec::new() }
    }

    /// Does `step`, which writes; fails where none got anywhere for too long.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        step: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let done = step(self, context);
        if done.is_ready() {
            self.stalled = None;
            return done;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn write_joined(
        &mut self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let small = pieces.iter().map(|piece| piece.len()).sum::<usize>() <= JOINED_BYTES_MAX;
        if pieces.len() == 1 || !small {
            return Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        }
        // One buffer is sent by a shorter way through the kernel than two, and becomes one record
        // of TLS. The copy is little beside that.
        self.joined.clear();
        for piece in pieces {
            self.joined.extend_from_slice(piece);
        }
        Pin::new(&mut self.inner).poll_write(context, &self.joined)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().bounded(context, |stream, context| {
            Pin::new(&mut stream.inner).poll_write(context, bytes)
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().bounded(context, |stream, context| stream.write_joined(context, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .bounded(context, |stream, context| Pin::new(&mut stream.inner).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut()
            .bounded(context, |stream, context| Pin::new(&mut stream.inner).poll_shutdown(context))
    }
}
