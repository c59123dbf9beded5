//! Where an upstream is.

use core::fmt;
use core::str::FromStr;

use http::uri::{Authority, Scheme, Uri};

/// The base of an HTTP service: `http://host:port`, without a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseUrl {
    authority: Authority,
    port: u16,
}

impl BaseUrl {
    /// Host and, where it is not 80, port, as a Host header has them.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal =
            |why: &str| Err(format!("`{}` {why}; write `http://host:port`", text.escape_debug()));
        let Ok(uri) = text.parse::<Uri>() else {
            return refusal("is no URL");
        };
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(scheme) if *scheme == Scheme::HTTPS => {
                return refusal("needs TLS, which the edge does not speak to services yet");
            }
            _ => return refusal("is no http URL"),
        }
        let Some(authority) = uri.authority() else {
            return refusal("names no host");
        };
        if authority.as_str().contains('@') {
            return refusal("holds a user name");
        }
        if !matches!(uri.path_and_query().map(http::uri::PathAndQuery::as_str), None | Some("/")) {
            return refusal("holds a path, which belongs to requests");
        }
        let port = match authority.port() {
            None => 80,
            Some(port) if port.as_u16() > 0 => port.as_u16(),
            Some(_) => return refusal("has port 0"),
        };
        Ok(Self { authority: authority.clone(), port })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}
