//! Asks an origin, and reads what it says of time.

use std::io::Read as _;

use asof_api::headers::{self as wire, AsOfValid};
use asof_client::{HttpTransport, Request, Transport as _, Trust};
use asof_time::{Timestamp, Validity};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use crate::failure::Failure;

/// Most bytes of an answer that are read.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// One resource of an origin.
#[derive(Debug)]
pub(super) struct Probe {
    transport: HttpTransport,
    target: String,
    token: Option<HeaderValue>,
}

/// What it answered.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Probe {
    pub(super) fn new(url: &Uri, token: Option<&str>) -> Result<Self, Failure> {
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(Failure::usage("the address is whole: http://HOST/PATH"));
        };
        let base = format!("{scheme}://{authority}");
        let transport = HttpTransport::new(&base, &Trust::System)
            .map_err(|error| Failure::usage(format!("{base}: {error}")))?;
        let target = url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let token = token.map(|token| {
            HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| Failure::usage("the token is no token"))
        });
        Ok(Self { transport, target, token: token.transpose()? })
    }

    /// Asks with these headers.
    pub(super) fn ask(&self, headers: &[(&HeaderName, &str)]) -> Result<Said, Failure> {
        let mut request = Request::new(Method::GET, self.target.clone());
        if let Some(token) = &self.token {
            request.headers.insert(header::AUTHORIZATION, token.clone());
        }
        for (name, value) in headers {
            let value = HeaderValue::try_from(*value)
                .map_err(|_| Failure::unavailable(format!("what `{name}` was is no header")))?;
            request.headers.insert(*name, value);
        }
        let answer = self.transport.send(request).map_err(|error| {
            let hint = "the URL is that of something the origin answers as of a moment";
            Failure::from(asof_client::Error::from(error)).with_hint(hint)
        })?;
        let mut body = Vec::new();
        answer.body.take(BODY_BYTES_MAX).read_to_end(&mut body)?;
        Ok(Said { status: answer.status, headers: answer.headers, body })
    }

    /// Asks as of a moment.
    pub(super) fn at(&self, at: Timestamp) -> Result<Said, Failure> {
        self.ask(&[(&wire::AS_OF, &at.as_micros().to_string())])
    }
}

impl Said {
    pub(super) fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The moment that it is an answer at.
    pub(super) fn as_of(&self) -> Option<Timestamp> {
        self.text(&wire::AS_OF)?.parse().ok()
    }

    /// The interval over which it says that it is true.
    pub(super) fn validity(&self) -> Option<Validity> {
        self.text(&wire::AS_OF_VALID)?.parse::<AsOfValid>().ok().map(|valid| valid.0)
    }

    /// Whether it is an answer: a value, or that there is none.
    pub(super) fn is_answer(&self) -> bool {
        self.status == StatusCode::OK || self.status == StatusCode::NOT_FOUND
    }

    /// Whether both say the same. What they say of time may be said in the body of an absence.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let absent = self.status == StatusCode::NOT_FOUND;
        self.status == other.status && (absent || self.body == other.body)
    }

    pub(super) fn epoch(&self) -> Option<&str> {
        self.text(&wire::AS_OF_EPOCH)
    }
}
