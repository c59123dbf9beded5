//! Small HTTP servers and a client, for the demo's own services.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) type Http = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

/// An answer, read whole.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

pub(super) fn client() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// Asks, and reads the answer whole. A failure is an answer of 502.
pub(super) async fn get(http: &Http, uri: &str, headers: &[(&str, &str)]) -> Got {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(http, request.body(Full::default())).await
}

/// Writes, and reads the answer whole. A failure is an answer of 502.
pub(super) async fn put(http: &Http, uri: &str, media_type: &str, body: Bytes) -> Got {
    let request = Request::put(uri).header(header::CONTENT_TYPE, media_type);
    send(http, request.body(Full::new(body))).await
}

async fn send(http: &Http, request: http::Result<Request<Full<Bytes>>>) -> Got {
    let failed =
        || Got { status: StatusCode::BAD_GATEWAY, headers: HeaderMap::new(), body: Bytes::new() };
    let Ok(request) = request else { return failed() };
    let answered = tokio::time::timeout(PATIENCE, async {
        let (parts, body) = http.request(request).await.ok()?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes();
        Some(Got { status: parts.status, headers: parts.headers, body })
    });
    answered.await.ok().flatten().unwrap_or_else(failed)
}

/// What a server is asked: the head. The demo's services take no bodies.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Serves `answer` at a free port until the runtime ends.
pub(super) async fn serve<F, R>(answer: F) -> std::io::Result<SocketAddr>
where
    F: Fn(Asked) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?;
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            // Small answers would wait for acknowledgements otherwise.
            let _ = stream.set_nodelay(true);
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let asked = Asked {
                        path: request.uri().path().to_owned(),
                        query: request.uri().query().unwrap_or_default().to_owned(),
                        headers: request.headers().clone(),
                    };
                    let answered = answer(asked);
                    async move { Ok::<_, core::convert::Infallible>(answered.await) }
                });
                let http1 = hyper::server::conn::http1::Builder::new();
                // A connection that a client drops is nobody's failure.
                let _ = http1.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(address)
}

/// An answer with a body of this type.
pub(super) fn answer(
    status: StatusCode,
    media_type: &str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    if let Ok(value) = HeaderValue::from_str(media_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}
