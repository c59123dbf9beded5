//! What machines ask: health, metrics, the document.

use std::sync::LazyLock;

use asof_api::ErrorName;
use asof_api::body::HealthBody;
use asof_store::Health;
use bytes::Bytes;
use http::{Response, StatusCode};

use crate::body::Body;
use crate::dispatch::Call;
use crate::refusal::{Answer, Refusal};
use crate::reply;

/// The document is the same for the life of the process.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let document = asof_api::openapi::document(env!("CARGO_PKG_VERSION"));
    Bytes::from(document.to_string())
});

pub(crate) fn openapi() -> Response<Body> {
    reply::typed(reply::JSON, DOCUMENT.clone())
}

pub(crate) fn healthz() -> Response<Body> {
    health("ok", None)
}

pub(crate) fn readyz(call: &Call<'_>) -> Response<Body> {
    match call.app.store.health() {
        _ if *call.app.stopping.borrow() => {
            unready(health("stopping", Some("the service stops".to_owned())))
        }
        Health::Writable => health("ok", None),
        Health::Alarmed(reason) => health("alarmed", Some(reason)),
        Health::ReadOnly(reason) => unready(health("read-only", Some(reason))),
    }
}

fn health(status: &str, reason: Option<String>) -> Response<Body> {
    reply::json(&HealthBody { status: status.to_owned(), reason })
}

fn unready(mut response: Response<Body>) -> Response<Body> {
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

pub(crate) fn metrics(call: &Call<'_>) -> Answer {
    let text = call
        .app
        .metrics
        .encode()
        .map_err(|_| Refusal::new(ErrorName::Internal, "the metrics could not be written"))?;
    Ok(reply::typed("application/openmetrics-text; version=1.0.0; charset=utf-8", text))
}
