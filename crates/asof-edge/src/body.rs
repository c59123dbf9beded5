//! Bodies as they pass through: streamed, and never still for ever.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::upstream::Lease;

/// Why a body ended early.
#[derive(Debug)]
pub enum BodyError {
    /// The connection that it came over broke, or what came was no HTTP.
    Broken(hyper::Error),
    /// Nothing of it came for this long.
    Still(Duration),
    /// Whoever made it gave up, for this reason.
    Other(String),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "the body broke off: {error}"),
            Self::Still(limit) => write!(f, "nothing of the body came for {limit:?}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl core::error::Error for BodyError {}

/// The body of a request or of an answer.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Whole(Option<Bytes>),
    Client(Paced),
    Upstream(Box<Answered>),
    Boxed(UnsyncBoxBody<Bytes, BodyError>),
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self(Kind::Whole(None))
    }

    /// These bytes.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(Kind::Whole((!bytes.is_empty()).then_some(bytes)))
    }

    /// These bytes, and then the rest.
    pub(crate) fn whole_then(head: Bytes, rest: Self) -> Self {
        Self::boxed(Then { head: Some(head), rest })
    }

    /// All of it, if it is held here.
    pub(crate) fn held(&self) -> Option<&Bytes> {
        match &self.0 {
            Kind::Whole(bytes) => bytes.as_ref(),
            Kind::Client(_) | Kind::Upstream(_) | Kind::Boxed(_) => None,
        }
    }

    /// Any other body.
    pub fn boxed<B>(body: B) -> Self
    where
        B: hyper::body::Body<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        Self(Kind::Boxed(UnsyncBoxBody::new(body)))
    }

    /// What a client sends; it may be still for at most `still_max`.
    pub(crate) fn client(incoming: Incoming, still_max: Duration) -> Self {
        if hyper::body::Body::is_end_stream(&incoming) {
            return Self::empty();
        }
        Self(Kind::Client(Paced::new(incoming, still_max)))
    }

    /// What an upstream answers, over the connection that `lease` holds.
    pub(crate) fn upstream(incoming: Incoming, still_max: Duration, lease: Lease) -> Self {
        let mut answered = Answered { paced: Paced::new(incoming, still_max), lease: Some(lease) };
        answered.ended();
        Self(Kind::Upstream(Box::new(answered)))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Client(paced) => paced.poll(context),
            Kind::Upstream(answered) => answered.poll(context),
            Kind::Boxed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Client(paced) => paced.incoming.is_end_stream(),
            Kind::Upstream(answered) => answered.paced.incoming.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Client(paced) => paced.incoming.size_hint(),
            Kind::Upstream(answered) => answered.paced.incoming.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

/// A body of which the beginning was read already.
#[derive(Debug)]
struct Then {
    head: Option<Bytes>,
    rest: Body,
}

impl hyper::body::Body for Then {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.head.take() {
            Some(head) => Poll::Ready(Some(Ok(Frame::data(head)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.head.is_none() && self.rest.is_end_stream()
    }
}

/// A body that must keep coming.
#[derive(Debug)]
struct Paced {
    incoming: Incoming,
    still_max: Duration,
    /// Runs while nothing comes. Made once, when first needed.
    alarm: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Paced {
    fn new(incoming: Incoming, still_max: Duration) -> Self {
        Self { incoming, still_max, alarm: None, waiting: false }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        use hyper::body::Body as _;
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) {
            self.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)));
        }
        let still_max = self.still_max;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(still_max)));
        if !self.waiting {
            alarm.as_mut().reset(Instant::now() + still_max);
            self.waiting = true;
        }
        ready!(alarm.as_mut().poll(context));
        self.waiting = false;
        Poll::Ready(Some(Err(BodyError::Still(still_max))))
    }
}

/// An answer body, with the connection that is free for another request once it has ended.
#[derive(Debug)]
struct Answered {
    paced: Paced,
    lease: Option<Lease>,
}

impl Answered {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.paced.poll(context));
        match &frame {
            None => {
                if let Some(lease) = self.lease.take() {
                    lease.give_back();
                }
            }
            Some(Ok(_)) => self.ended(),
            // The connection is in no known state: it goes with the lease.
            Some(Err(_)) => self.lease = None,
        }
        Poll::Ready(frame)
    }

    /// Gives the connection back as soon as nothing more comes: nobody may ask again.
    fn ended(&mut self) {
        use hyper::body::Body as _;
        if self.paced.incoming.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}
