//! Where an upstream is.

use core::fmt;
use core::str::FromStr;

use http::uri::{Authority, Scheme, Uri};
use rustls_pki_types::ServerName;

/// The base of an HTTP service: `http://host:port` or `https://host:port`, without a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseUrl {
    authority: Authority,
    port: u16,
    /// Whom a certificate must name, where it speaks TLS.
    secured: Option<ServerName<'static>>,
}

impl BaseUrl {
    /// Host and, where one is named, port, as a Host header has them.
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

    /// Whom its certificate must name; `None` where no TLS is spoken.
    pub fn secured(&self) -> Option<&ServerName<'static>> {
        self.secured.as_ref()
    }

    /// Under which scheme it is asked.
    pub fn scheme(&self) -> Scheme {
        if self.secured.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = |why: &str| {
            let how = "write `http://host:port` or `https://host:port`";
            Err(format!("`{}` {why}; {how}", text.escape_debug()))
        };
        let Ok(uri) = text.parse::<Uri>() else {
            return refusal("is no URL");
        };
        let is_https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return refusal("is no http URL"),
        };
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
            None if is_https => 443,
            None => 80,
            Some(port) if port.as_u16() > 0 => port.as_u16(),
            Some(_) => return refusal("has port 0"),
        };
        let mut url = Self { authority: authority.clone(), port, secured: None };
        if is_https {
            let Ok(name) = ServerName::try_from(url.host().to_owned()) else {
                return refusal("names a host that no certificate can name");
            };
            url.secured = Some(name);
        }
        Ok(url)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority)
    }
}
