//! The first moments of an edge: nothing is held yet, and all that clients ask has to be executed.
//!
//! What services bore while most of it was held would bury them then. So executions for clients
//! begin with a few at once, and their number grows to all that may be under way. Those who would
//! have to wait for long are told to come again. Calls of services are let through: what has begun
//! is let end before something new begins.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use asof_env::BootTime;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Limits;
use crate::limits;

/// Counts the executions for clients while the edge is young.
#[derive(Debug)]
pub(crate) struct WarmUp {
    begun: BootTime,
    under_way: AtomicUsize,
    left: Notify,
}

/// A place among them, until dropped.
#[derive(Default, Debug)]
pub(crate) struct Place<'w>(Option<&'w WarmUp>);

/// There was no place in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

impl WarmUp {
    pub(crate) fn new(begun: BootTime) -> Self {
        Self { begun, under_way: AtomicUsize::new(0), left: Notify::new() }
    }

    /// Waits for a place. `now` tells the time, which goes on meanwhile.
    ///
    /// # Errors
    ///
    /// If there is none for long.
    pub(crate) async fn enter(
        &self,
        limits: &Limits,
        now: impl Fn() -> BootTime,
    ) -> Result<Place<'_>, Full> {
        let deadline = Instant::now() + limits::WARM_UP_WAIT;
        loop {
            let Some(most) = allowed(now().since(self.begun), limits) else {
                return Ok(Place(None));
            };
            // Before it is looked, so that whoever leaves in between is not missed.
            let left = self.left.notified();
            let entered =
                self.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |under_way| {
                    (under_way < most).then_some(under_way + 1)
                });
            if entered.is_ok() {
                return Ok(Place(Some(self)));
            }
            // More are allowed as time passes, though nobody leaves.
            let look_again = deadline.min(Instant::now() + limits::WARM_UP_STEP);
            if tokio::time::timeout_at(look_again, left).await.is_err()
                && Instant::now() >= deadline
            {
                return Err(Full);
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(warm_up) = self.0 {
            warm_up.under_way.fetch_sub(1, Ordering::Relaxed);
            warm_up.left.notify_one();
        }
    }
}

/// How many may be under way at this age; `None` for any number.
fn allowed(age: Duration, limits: &Limits) -> Option<usize> {
    if age >= limits.warm_up {
        return None;
    }
    let (least, most) = (limits::WARM_UP_LEAST, limits.requests_in_flight);
    let grown = most.saturating_sub(least) as u128 * age.as_nanos() / limits.warm_up.as_nanos();
    Some(usize::try_from(grown).unwrap_or(most).saturating_add(least).min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(warm_up: u64, requests_in_flight: usize) -> Limits {
        let text = format!(
            "listen = '127.0.0.1:0'\n[[ingress.rules]]\nservice = 'a'\n[services.a]\nupstreams = \
             ['http://127.0.0.1:1']\n[limits]\nwarm_up = '{warm_up}s'\nrequests_in_flight = \
             {requests_in_flight}\n"
        );
        crate::config::Plan::from_toml(&text, std::path::Path::new("")).unwrap().limits
    }

    #[test]
    fn it_grows_from_a_few_to_all_and_ends() {
        let (limits, second) = (limits(10, 1_032), Duration::from_secs(1));
        assert_eq!(allowed(Duration::ZERO, &limits), Some(32));
        assert_eq!(allowed(second, &limits), Some(132));
        assert_eq!(allowed(second * 9, &limits), Some(932));
        assert_eq!(allowed(second * 10, &limits), None);
        let small = self::limits(10, 5);
        assert_eq!(allowed(second, &small), Some(5), "never more than may be under way");
        assert_eq!(allowed(Duration::ZERO, &self::limits(0, 5)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_lets_another_in_and_nobody_waits_for_ever() {
        let (limits, begun) = (limits(600, 33), BootTime::new(Duration::from_secs(7)));
        let warm_up = WarmUp::new(begun);
        let mut places = Vec::new();
        for _ in 0..32 {
            places.push(warm_up.enter(&limits, || begun).await.unwrap());
        }
        assert_eq!(warm_up.enter(&limits, || begun).await.unwrap_err(), Full);
        let (last, ()) = tokio::join!(warm_up.enter(&limits, || begun), async {
            tokio::task::yield_now().await;
            places.pop();
        });
        places.push(last.unwrap());
        // Time passes, and with it the bound.
        let grown = warm_up.enter(&limits, || begun.after(Duration::from_mins(10))).await;
        assert!(grown.is_ok_and(|place| place.0.is_none()));
        drop(places);
        assert_eq!(warm_up.under_way.load(Ordering::Relaxed), 0);
    }
}
