//! One layer of the tree: see `../../tree/layer.py`.

use std::convert::Infallible;
use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};

use asof_context::{Carry, CarryLayer, Egress, ServeLayer};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);

type Plain = Client<HttpConnector, Empty<Bytes>>;

/// The ways to the layer below: with the context, and without.
#[derive(Clone)]
struct Below {
    base: String,
    name: String,
    carrying: Carry<Plain>,
    losing: Plain,
}

impl Below {
    async fn ask(&self, path: &str) -> Result<String, Box<dyn std::error::Error>> {
        let request = Request::get(format!("{}{path}", self.base)).body(Empty::new())?;
        let answer = if path.starts_with(&format!("/lose-{}/", self.name)) {
            self.losing.request(request).await?
        } else {
            self.carrying.clone().oneshot(request).await?
        };
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(if status == StatusCode::OK { text } else { format!("[{}]", status.as_u16()) })
    }
}

async fn answer(below: Below, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if path == "/executions" {
        let executions = EXECUTIONS.swap(0, Ordering::SeqCst);
        return Response::new(Full::from(executions.to_string()));
    }
    EXECUTIONS.fetch_add(1, Ordering::SeqCst);
    match below.ask(path).await {
        Ok(text) => Response::new(Full::from(format!("{}({text})", below.name))),
        Err(error) => {
            let mut failed = Response::new(Full::from(error.to_string()));
            *failed.status_mut() = StatusCode::BAD_GATEWAY;
            failed
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = env::var("ASOF_EGRESS")? + &env::var("BELOW")?;
    let losing: Plain = Client::builder(TokioExecutor::new()).build_http();
    let carrying = CarryLayer::new(Egress::from_env()).layer(losing.clone());
    let below = Below { base, name: env::var("NAME")?, carrying, losing };
    let service = ServeLayer.layer(service_fn(move |request| {
        let below = below.clone();
        async move { Ok::<_, Infallible>(answer(below, request).await) }
    }));
    let listener = TcpListener::bind(("127.0.0.1", env::var("PORT")?.parse::<u16>()?)).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(socket), service);
        tokio::spawn(serving);
    }
}
