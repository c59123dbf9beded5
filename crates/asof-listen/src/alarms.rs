//! Alarms that cost next to nothing, for what hardly ever takes too long.
//!
//! hyper sets one for the head of each request, and drops it once the head is there. None of them
//! is known to the clock of the runtime: an alarm is looked at when its connection is, and a
//! connection that waits has itself looked at several times within the shortest of its time-outs.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::time::Instant;

use hyper::rt::{Sleep, Timer};

/// Sets alarms. Whoever uses them has a connection that waits polled now and then.
#[derive(Clone, Copy, Debug)]
pub struct Alarms;

impl Timer for Alarms {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Alarm(deadline))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Rings when it is looked at after this.
#[derive(Debug)]
struct Alarm(Instant);

impl Sleep for Alarm {}

impl Future for Alarm {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Alarms.now() >= self.0 { Poll::Ready(()) } else { Poll::Pending }
    }
}
