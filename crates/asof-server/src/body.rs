//! Bodies of requests and answers. What is whole has no box around it: most answers are.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

/// Why a body broke off.
pub type BodyError = Box<dyn core::error::Error + Send + Sync>;

type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// The body of a request or an answer.
pub struct Body(Form);

enum Form {
    /// In memory.
    Whole(Bytes),
    /// Arriving through a connection.
    Incoming(Incoming),
    /// Made piece by piece.
    Pieces(Pieces),
}

impl Body {
    /// No body.
    pub const fn empty() -> Self {
        Self(Form::Whole(Bytes::new()))
    }

    /// A body that is made while it is read.
    pub fn from_stream<E: Into<BodyError> + 'static>(
        stream: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Self {
        Self(Form::Pieces(Box::pin(stream.map_err(Into::into))))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").field(&self.size_hint()).finish()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Form::Whole(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<Incoming> for Body {
    fn from(incoming: Incoming) -> Self {
        Self(Form::Incoming(incoming))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Form::Whole(bytes) => {
                let bytes = core::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Form::Incoming(incoming) => {
                Pin::new(incoming).poll_frame(context).map_err(BodyError::from)
            }
            Form::Pieces(pieces) => {
                let piece = ready!(pieces.as_mut().poll_next(context));
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Form::Whole(bytes) => bytes.is_empty(),
            Form::Incoming(incoming) => incoming.is_end_stream(),
            Form::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Form::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Form::Incoming(incoming) => incoming.size_hint(),
            Form::Pieces(_) => SizeHint::default(),
        }
    }
}
