//! Holds what clients were told against what is true.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use asof_cache::Fact;
use asof_edge::hearing::Heard;
use asof_time::Timestamp;

use crate::edge::{Edge, Root, Wanted, store_of};
use crate::program::{Answered, Services};
use crate::source::Source;
use crate::tasks::at_once;
use crate::truth::{Plain, Timeline};

/// Moments of an interval that are looked at.
const CLAIMS_MAX: usize = 30;

/// What came of the requests of a run.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    /// Requests that were answered, and rightly so.
    pub answered: u64,
    /// Requests that were told plainly that there is no answer.
    pub refused: u64,
    /// Answers that may be of before an erasure of which the edge had not heard.
    pub unjudged: u64,
    /// Executions of services.
    pub executed: u64,
}

#[derive(Default)]
pub(crate) struct Judge {
    pub(crate) tally: Cell<Tally>,
    wrong: RefCell<Option<String>>,
}

impl Judge {
    pub(crate) fn wrong(&self) -> Option<String> {
        self.wrong.borrow().clone()
    }

    fn count(&self, count: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally.get();
        count(&mut tally);
        self.tally.set(tally);
    }

    /// A client asks.
    pub(crate) async fn ask(self: Rc<Self>, edge: Rc<Edge>, wanted: Wanted, call: (u64, u64)) {
        let heard = edge.heard();
        let Some(root) = edge.resolve(wanted) else {
            return self.count(|tally| tally.refused += 1);
        };
        let cap = heard.iter().flatten().filter_map(|heard| heard.cap).min();
        let mut outcome = judge_moment(&root, wanted, cap);
        if outcome.is_ok() {
            let answer = edge.request(&root, call.0, call.1).await;
            let Ok(number) = answer.number() else {
                return self.count(|tally| tally.refused += 1);
            };
            let fact = answer.fact.as_ref().ok();
            outcome = self.judge(&edge, &root, call, number, fact, heard.as_deref());
        }
        if let Err(wrong) = outcome {
            let (service, argument, at) = (call.0, call.1, root.at.as_micros());
            let wrong = format!("s{service}/{argument} at {at}: {wrong}");
            self.wrong.borrow_mut().get_or_insert(wrong);
        }
    }

    fn judge(
        &self,
        edge: &Edge,
        root: &Root,
        call: (u64, u64),
        number: u64,
        fact: Option<&Fact>,
        heard: Option<&[Heard]>,
    ) -> Result<(), String> {
        let sources = edge.sources.borrow();
        let timelines = timelines(&sources, root);
        let mut places = timelines.iter().flatten().zip(heard.into_iter().flatten());
        if !places.all(|(timeline, heard)| has_heard(timeline, heard)) {
            self.count(|tally| tally.unjudged += 1);
            return Ok(());
        }
        let right = |at| truth(&sources, &timelines, &edge.services, call, at);
        if right(root.at) != Ok(number) {
            return Err(format!("{number:x} instead of {:x?}", right(root.at)));
        }
        if let Some(fact) = fact {
            if !fact.validity.contains(root.at) {
                return Err(format!("true over {}, which does not hold the moment", fact.validity));
            }
            let ends = [fact.validity.from(), fact.validity.last()];
            let written = timelines.iter().flatten().flat_map(|timeline| timeline.moments());
            let inside = written.chain(ends).filter(|at| fact.validity.contains(*at));
            let mut claimed = inside.take(CLAIMS_MAX).chain(ends);
            if let Some(at) = claimed.find(|at| right(*at) != Ok(number)) {
                return Err(format!("said to be true over {}, and is not at {at}", fact.validity));
            }
        }
        self.count(|tally| tally.answered += 1);
        Ok(())
    }
}

/// Whether all erasures were heard of when the request began: what is said of a later moment is
/// said after them, and in another timeline nothing is held of before.
fn has_heard(timeline: &Timeline, heard: &Heard) -> bool {
    timeline.erased.values().all(|(epoch, at)| *epoch != heard.epoch || heard.through > *at)
}

/// Whether the moment is one that the client may be answered at.
fn judge_moment(root: &Root, wanted: Wanted, cap: Option<Timestamp>) -> Result<(), String> {
    if let Some(cap) = cap.filter(|cap| root.at > *cap) {
        return Err(format!("above the cap, {cap}, which was heard of"));
    }
    let Some((epoch, written)) = wanted.written.filter(|_| wanted.asked.is_none()) else {
        return Ok(());
    };
    let is_capped = cap.is_some_and(|cap| cap < written);
    if root.epochs.contains(&epoch) && root.at < written && !is_capped {
        return Err(format!("before the session's last write, at {written}"));
    }
    Ok(())
}

/// The timeline of each store that a request is of.
fn timelines<'a>(sources: &'a [Source], root: &Root) -> Vec<Option<&'a Timeline>> {
    let places = sources.iter().zip(root.epochs.iter());
    places.map(|(source, epoch)| source.timeline(*epoch)).collect()
}

/// What a run without any cache gives.
fn truth(
    sources: &[Source],
    timelines: &[Option<&Timeline>],
    services: &Services,
    call: (u64, u64),
    at: Timestamp,
) -> Answered {
    let of_space = |space| timelines.get(store_of(sources, space)).copied().flatten();
    let plain = Plain { services, timelines: &of_space, at };
    at_once(Box::pin(services.run(call.0, call.1, &plain)))
}
