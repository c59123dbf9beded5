//! The admin listener of an edge that runs.

use std::fmt::Write as _;
use std::io::Read as _;

use asof_client::{HttpTransport, Request, Transport as _, Trust};
use clap::Args;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::Value;

use crate::failure::Failure;

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Where an edge answers its operators.
#[derive(Args, Debug)]
pub(crate) struct Admin {
    /// Admin listener of the edge
    #[arg(
        long,
        env = "ASOF_EDGE_ADMIN",
        value_name = "URL",
        default_value = "http://127.0.0.1:7481",
        hide_env_values = true
    )]
    admin: String,
    /// Token of the edge's `admin_token_file`
    #[arg(long, env = "ASOF_EDGE_TOKEN", value_name = "SECRET", hide_env_values = true)]
    admin_token: Option<String>,
}

impl Admin {
    /// Asks for `path` with these parameters; the answer is JSON.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let transport = HttpTransport::new(&self.admin, &Trust::System)
            .map_err(|error| Failure::usage(format!("--admin {}: {error}", self.admin)))?;
        let mut target = path.to_owned();
        for (place, (name, value)) in parameters.iter().enumerate() {
            target.push(if place == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            encode(value, &mut target);
        }
        let mut request = Request::new(method, target);
        if let Some(token) = &self.admin_token {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value = value.map_err(|_| Failure::usage("the admin token is no token"))?;
            value.set_sensitive(true);
            request.headers.insert(header::AUTHORIZATION, value);
        }
        let answer = transport.send(request).map_err(|error| {
            let hint = "start an edge with `asof edge --config FILE`, or pass --admin URL";
            Failure::from(asof_client::Error::from(error)).with_hint(hint)
        })?;
        let mut text = Vec::new();
        answer.body.take(ANSWER_BYTES_MAX).read_to_end(&mut text)?;
        let said: Option<Value> = serde_json::from_slice(&text).ok();
        if answer.status.is_success() {
            return said.ok_or_else(|| Failure::unavailable("the edge did not answer with JSON"));
        }
        Err(refusal(answer.status, said.as_ref()))
    }
}

fn refusal(status: StatusCode, said: Option<&Value>) -> Failure {
    let detail = said.and_then(|problem| problem.get("detail")).and_then(Value::as_str);
    let detail = format!("the edge says {status}: {}", detail.unwrap_or("no reason given"));
    if status == StatusCode::UNAUTHORIZED {
        return Failure::usage(format!("{detail}; pass --admin-token, or set ASOF_EDGE_TOKEN"));
    }
    if status.is_server_error() { Failure::unavailable(detail) } else { Failure::usage(detail) }
}

/// A member of what was answered; null where there is none.
pub(crate) fn field<'v>(object: &'v Value, name: &str) -> &'v Value {
    object.get(name).unwrap_or(&Value::Null)
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}
