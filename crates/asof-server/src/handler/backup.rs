//! A backup, streamed as it is made.

use std::io::{self, Write};
use std::sync::Arc;

use asof_api::ErrorName;
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::body::Body;
use crate::dispatch::Call;
use crate::limits::{BACKUP_CHUNK_BYTES, BACKUP_CHUNKS_MAX};
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) async fn backup(call: &Call<'_>) -> Answer {
    let place = Arc::clone(&call.app.backups).try_acquire_owned().map_err(|_| {
        Refusal::new(ErrorName::Unavailable, "other backups are under way; nothing was done")
    })?;
    let (chunks, mut stream) = mpsc::channel(BACKUP_CHUNKS_MAX);
    let store = call.app.store.clone();
    tokio::task::spawn_blocking(move || {
        let mut sink = Sink { chunks, chunk: BytesMut::new() };
        let result = store
            .backup(&mut sink, &mut |_| {})
            .map_err(io::Error::other)
            .and_then(|_| sink.flush());
        if let Err(error) = result {
            // The client sees a body that breaks off: it cannot take it for a whole one.
            tracing::warn!(%error, "a backup broke off");
            let _ = sink.chunks.blocking_send(Err(error));
        }
        drop(place);
    });
    // A failure at the very beginning still has a status.
    let first = match stream.recv().await {
        Some(Err(error)) => return Err(Refusal::new(ErrorName::Unavailable, error.to_string())),
        first => first,
    };
    let rest = futures_util::stream::unfold(stream, |mut stream| async {
        stream.recv().await.map(|chunk| (chunk, stream))
    });
    let whole = futures_util::StreamExt::chain(futures_util::stream::iter(first), rest);
    Ok(reply::typed("application/octet-stream", Body::from_stream(whole)))
}

/// Where the store writes to: chunks on their way to the client.
struct Sink {
    chunks: mpsc::Sender<io::Result<Bytes>>,
    chunk: BytesMut,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= BACKUP_CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = self.chunk.split().freeze();
        self.chunks
            .blocking_send(Ok(chunk))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone"))
    }
}
