//! The store within this process, behind the same interface as one behind a socket: every
//! command is written once, and what it may do is decided in one place.

use std::io::{self, Read};
use std::sync::Arc;

use asof_client::{Body, Request, Response, Transport, TransportError, TransportErrorKind};
use asof_server::{Access, Router, Settings};
use asof_store::Store;
use bytes::{Buf, Bytes};
use futures_util::stream;
use http_body_util::BodyExt;
use tokio::runtime::Runtime;

/// Bytes of a streamed request body that are in memory at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Requests that are handed to the service without a socket.
#[derive(Debug)]
pub(crate) struct LocalTransport {
    runtime: Arc<Runtime>,
    router: Router,
}

impl LocalTransport {
    /// Hands requests to `router`.
    pub(crate) fn new(router: Router) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime: Arc::new(runtime), router })
    }
}

impl Transport for LocalTransport {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let broken = |message: String| TransportError::new(TransportErrorKind::Broken, message);
        let mut head = http::Request::builder().method(request.method).uri(request.target);
        if let Some(headers) = head.headers_mut() {
            *headers = request.headers;
        }
        let request = head
            .body(into_body(request.body))
            .map_err(|error| broken(format!("not a request: {error}")))?;
        let (head, body) = self.runtime.block_on(self.router.answer(request)).into_parts();
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: Box::new(BodyReader {
                runtime: Arc::clone(&self.runtime),
                body,
                piece: Bytes::new(),
            }),
        })
    }
}

fn into_body(body: Body) -> asof_server::Body {
    match body {
        Body::Empty => asof_server::Body::empty(),
        Body::Bytes(bytes) => bytes.into(),
        Body::Reader(reader) => asof_server::Body::from_stream(stream::iter(Pieces(reader))),
    }
}

/// A reader, piece by piece.
struct Pieces(Box<dyn Read + Send>);

impl Iterator for Pieces {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        match self.0.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece) {
            Ok(0) => None,
            Ok(_) => Some(Ok(piece.into())),
            Err(error) => Some(Err(error)),
        }
    }
}

/// The body of an answer, made while it is read.
struct BodyReader {
    runtime: Arc<Runtime>,
    body: asof_server::Body,
    piece: Bytes,
}

impl Read for BodyReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let Some(frame) = self.runtime.block_on(self.body.frame()) else {
                return Ok(0);
            };
            // Trailers carry nothing here.
            if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
                self.piece = data;
            }
        }
        let len = out.len().min(self.piece.len());
        if let Some(out) = out.get_mut(..len) {
            self.piece.copy_to_slice(out);
        }
        Ok(len)
    }
}

/// The service of `store`. Whoever can open the folder may do everything.
pub(crate) fn router(store: Store) -> Router {
    asof_server::router(store, Access::InProcess, Settings::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use asof_store::Options;
    use http::{Method, StatusCode};

    #[test]
    fn bodies_stream_both_ways() {
        let store = Store::in_memory(Options::default()).unwrap();
        let local = LocalTransport::new(router(store)).unwrap();
        let sent = vec![7; 3 * PIECE_BYTES + 1];
        let mut request = Request::new(Method::PUT, "/v1/spaces/s/keys/k");
        request.body = Body::Reader(Box::new(io::Cursor::new(sent.clone())));
        assert_eq!(local.send(request).unwrap().status, StatusCode::OK);
        let request = Request::new(Method::GET, "/v1/spaces/s/keys/k");
        let mut answer = local.send(request).unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        let mut got = Vec::new();
        answer.body.read_to_end(&mut got).unwrap();
        assert!(got == sent);
    }
}
