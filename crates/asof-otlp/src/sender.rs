//! OpenTelemetry's HTTP client, made of ours.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asof_client::{Body, HttpTransport, Request, Transport as _, Trust};
use async_trait::async_trait;
use http::{Response, Uri};
use opentelemetry_http::{Bytes, HttpClient, HttpError};

use crate::counted::Counts;
use crate::{Refused, limits};

/// The PEM file of those who vouch for the collector, by the standard environment.
const CA_FILES: [&str; 2] =
    ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];

/// Sends messages to one collector.
#[derive(Debug)]
pub(crate) struct Sender {
    transport: HttpTransport,
    counts: Arc<Counts>,
}

impl Sender {
    /// One that sends to the host of `url`, for which those of a file vouch, if there is one.
    pub(crate) fn new(
        url: &str,
        ca_file: Option<&Path>,
        counts: Arc<Counts>,
    ) -> Result<Self, Refused> {
        let refused = |why: String| Refused(format!("`{url}`: {why}"));
        let uri: Uri = url.parse().map_err(|_| refused("is no URL".to_owned()))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            let why = "is no URL of a collector: write such as `http://127.0.0.1:4318`";
            return Err(refused(why.to_owned()));
        };
        let file = CA_FILES.iter().find_map(std::env::var_os).filter(|file| !file.is_empty());
        let file = file.map(PathBuf::from).or_else(|| ca_file.map(Path::to_owned));
        let trust = file.map_or(Trust::System, Trust::CaFile);
        let transport = HttpTransport::new(&format!("{scheme}://{authority}"), &trust);
        let transport = transport.map_err(|error| refused(error.to_string()))?;
        Ok(Self { transport, counts })
    }

    fn send(&self, request: Request) -> Result<Response<Bytes>, HttpError> {
        let answer = self.transport.send(request)?;
        let mut body = Vec::new();
        answer.body.take(limits::ANSWER_BYTES_MAX).read_to_end(&mut body)?;
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

#[async_trait]
impl HttpClient for Sender {
    /// Blocks: it is called on the thread that does nothing else.
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut asked = Request::new(head.method, target);
        asked.headers = head.headers;
        asked.body = Body::Bytes(body);
        asked.silence_max = limits::SILENCE_MAX;
        // The exporter keeps to itself why nobody answered.
        self.send(asked).inspect_err(|error| self.counts.unanswered(error.to_string()))
    }
}
