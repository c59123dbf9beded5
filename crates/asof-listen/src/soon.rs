//! What is there already, or still to come.
//!
//! Most of what clients ask is held, and answered without waiting for anybody. A step that need
//! not wait hands on what came of it there and then; no future is made for what might have been.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

/// What comes of a step.
pub struct Soon<'s, T>(State<'s, T>);

enum State<'s, T> {
    /// `None` once it was taken.
    Now(Option<T>),
    Later(Pin<Box<dyn Future<Output = T> + Send + 's>>),
}

impl<'s, T: Send + Unpin + 's> Soon<'s, T> {
    /// It is there.
    pub fn now(it: T) -> Self {
        Self(State::Now(Some(it)))
    }

    /// It is waited for.
    pub fn later(it: impl Future<Output = T> + Send + 's) -> Self {
        Self(State::Later(Box::pin(it)))
    }

    /// The step after it, as soon as it is there.
    ///
    /// # Panics
    ///
    /// If it was waited for and taken already.
    pub fn then<U: Send + Unpin + 's>(
        self,
        step: impl FnOnce(T) -> Soon<'s, U> + Send + 's,
    ) -> Soon<'s, U> {
        match self.0 {
            State::Now(it) => step(it.expect(TAKEN)),
            State::Later(it) => Soon::later(async move { step(it.await).await }),
        }
    }
}

/// Why there is always something to take.
const TAKEN: &str = "what is there is taken once";

impl<T: Unpin> Future for Soon<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.get_mut().0 {
            State::Now(it) => Poll::Ready(it.take().expect(TAKEN)),
            State::Later(it) => it.as_mut().poll(context),
        }
    }
}

impl<T> fmt::Debug for Soon<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Now(_) => "Now",
            State::Later(_) => "Later",
        })
    }
}
