//! One webhook: where it is, what signs its messages, which actions it is told.

use core::time::Duration;
use std::path::Path;

use asof_client::{Body, HttpTransport, Request, Transport as _, Trust};
use asof_server::Webhook;
use asof_time::Timestamp;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::message::{Message, Secret};
use crate::failure::Failure;
use crate::files;

/// Longest silence of a receiver that is borne: it shall take a message, and work on it later.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Bytes of the file of a secret.
const SECRET_FILE_BYTES_MAX: u64 = 1 << 10;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// One webhook, ready to be told.
#[derive(Debug)]
pub(crate) struct Hook {
    /// Its name.
    pub(crate) name: String,
    actions: Option<Vec<String>>,
    secret: Secret,
    transport: HttpTransport,
    target: String,
}

impl Hook {
    /// Reads its secret. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Where the secret or the certificates cannot be used.
    pub(crate) fn open(webhook: &Webhook) -> Result<Self, Failure> {
        let Webhook { name, url, secret_file, ca_file, actions } = webhook;
        let refuse = |why: String| Failure::usage(format!("webhook `{name}`: {why}"));
        let secret = read_secret(secret_file).map_err(refuse)?;
        let uri: Uri = url.parse().map_err(|_| refuse(format!("`{url}` is no URL")))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refuse(format!("`{url}` is no URL")));
        };
        let trust = ca_file.clone().map_or(Trust::System, Trust::CaFile);
        let transport = HttpTransport::new(&format!("{scheme}://{authority}"), &trust)
            .map_err(|error| refuse(error.to_string()))?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Ok(Self { name: name.clone(), actions: actions.clone(), secret, transport, target })
    }

    /// Whether it is told of this action.
    pub(crate) fn wants(&self, action: &str) -> bool {
        self.actions.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| wanted == action))
    }

    /// Sends `message` once; the status of the answer.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub(crate) fn send(&self, message: &Message, now: Timestamp) -> Result<StatusCode, String> {
        let seconds = now.as_micros() / 1_000_000;
        let texts = [
            (ID, message.id.clone()),
            (TIMESTAMP, seconds.to_string()),
            (SIGNATURE, self.secret.sign(message, seconds)),
        ];
        let mut request = Request::new(Method::POST, self.target.clone());
        for (name, text) in texts {
            let value = HeaderValue::try_from(text).map_err(|error| error.to_string())?;
            request.headers.insert(name, value);
        }
        let json = HeaderValue::from_static("application/json");
        request.headers.insert(header::CONTENT_TYPE, json);
        request.body = Body::Bytes(Bytes::copy_from_slice(&message.body));
        request.silence_max = SILENCE_MAX;
        // What the answer says beyond its status is nobody's business here, and is not read.
        self.transport.send(request).map(|answer| answer.status).map_err(|error| error.to_string())
    }
}

fn read_secret(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let bytes = files::read_input(path, SECRET_FILE_BYTES_MAX)
        .map_err(|_| format!("secret_file `{shown}` cannot be read"))?;
    let text = core::str::from_utf8(&bytes).map_err(|_| format!("`{shown}` holds no text"))?;
    Secret::parse(text).map_err(|why| format!("secret_file `{shown}`: {why}"))
}
