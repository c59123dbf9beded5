//! What is made of what a store says: where its feed is taken up, what of it the cache is told, and
//! which moment it leads to. Nothing here waits or knows a socket, so that a simulation can lose,
//! delay and repeat what is said.

use asof_api::Cursor;
use asof_api::body::{CommitBody, ControlBody, FeedEvent, FeedMessage, SpaceBody, TimeBody};
use asof_cache::{Begun, Cache, StoreId};
use asof_time::{Epoch, Timestamp};

/// What the control records are called that an edge obeys.
const ERASED: &str = "key-erased";
const ERASABLE: &str = "space-erasable";

/// Where a store is, as far as it was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The timeline.
    pub epoch: Epoch,
    /// The feed is complete up to here.
    pub through: Timestamp,
    /// The store's floor.
    pub floor: Timestamp,
    /// Its cap, where there is one.
    pub cap: Option<Timestamp>,
}

/// How far one store was heard.
#[derive(Debug)]
pub struct Hearing {
    store: StoreId,
    /// The last control record that was heard of, and its timeline.
    obeyed: Option<(Epoch, u64)>,
    /// The timeline of the feed that is followed, and the control record up to which the moment
    /// stays where it was: what was missed while nobody listened is heard first.
    following: Option<(Epoch, Option<u64>)>,
}

/// Where a feed is taken up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakeUp {
    /// After this.
    pub after: Cursor,
    /// Whether it is to be asked beforehand which spaces there are: of a timeline that is heard of
    /// for the first time nobody has said of which spaces something may be erased.
    pub wants_spaces: bool,
}

/// A message is of another timeline than the feed was taken up in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtherTimeline(pub Epoch);

impl Hearing {
    /// Nothing was heard yet.
    pub fn new(store: StoreId) -> Self {
        Self { store, obeyed: None, following: None }
    }

    /// The control record that was heard of last in the timeline `epoch`, if anything was.
    fn obeyed_in(&self, epoch: Epoch) -> Option<u64> {
        self.obeyed.filter(|(known, _)| *known == epoch).map(|(_, control)| control)
    }

    /// Where to take up the feed of a store that is at `time`. The cursor names the timeline: a
    /// store that was restored in between must not go on as if it were the old one.
    pub fn take_up(&self, time: &TimeBody) -> TakeUp {
        let epoch = time.epoch.0;
        // What was erased while nobody listened is told first. Of a timeline that is heard of for
        // the first time nothing is held yet.
        let obeyed = self.obeyed_in(epoch);
        let control = obeyed.unwrap_or(time.control_sequence);
        let after = Cursor::after_snapshot_of(epoch, time.closed.0, control);
        TakeUp { after, wants_spaces: obeyed.is_none() }
    }

    /// The feed was taken up at `time`, where these spaces were, if they were asked for.
    pub fn begin(
        &mut self,
        cache: &Cache,
        time: &TimeBody,
        spaces: &[SpaceBody],
    ) -> (Begun, Option<Heard>) {
        let (epoch, through) = (time.epoch.0, time.closed.0);
        let begun = cache.begin(self.store, epoch, through);
        for space in spaces.iter().filter(|space| space.erasable) {
            cache.foresee_erasure(self.store, &space.name);
        }
        let control = self.obeyed_in(epoch).unwrap_or(time.control_sequence);
        self.obeyed = Some((epoch, control));
        self.following = Some((epoch, Some(time.control_sequence)));
        let (floor, cap) = (time.floor.0, time.cap.map(|cap| cap.0));
        (begun, self.caught_up().then_some(Heard { epoch, through, floor, cap }))
    }

    /// Takes a message; says where the store is, once all was heard that was missed.
    ///
    /// # Errors
    ///
    /// Where it is of another timeline: nothing of it is taken, and the feed is to be taken up
    /// anew.
    pub fn take(
        &mut self,
        cache: &Cache,
        message: &FeedMessage,
    ) -> Result<Option<Heard>, OtherTimeline> {
        let (epoch, through) = (message.epoch.0, message.through.0);
        if self.following.is_none_or(|(known, _)| known != epoch) {
            return Err(OtherTimeline(epoch));
        }
        if let FeedEvent::Control { control } = &message.event {
            self.obey(cache, control);
        }
        let store = self.store;
        cache.tell(|index| {
            match &message.event {
                FeedEvent::Commit { commit } => changes(commit, |space, key, at| match key {
                    Some(key) => index.changed(store, space, key, at),
                    None => index.changed_whole(store, space, at),
                }),
                // Dropped already.
                FeedEvent::Control { control } if control.action == ERASED => {}
                // What a control record does to a space it does to all of it.
                FeedEvent::Control { control } if !control.subject.is_empty() => {
                    index.changed_whole(store, &control.subject, control.at.0);
                }
                FeedEvent::Control { .. } | FeedEvent::Heartbeat | FeedEvent::End { .. } => {}
            }
            index.advance(store, through);
        });
        if let Some(control) = control_of(&message.cursor) {
            self.obeyed = Some((epoch, control));
        }
        let (floor, cap) = (message.floor.0, message.cap.map(|cap| cap.0));
        Ok(self.caught_up().then_some(Heard { epoch, through, floor, cap }))
    }

    /// Whether all was heard that was missed while nobody listened.
    fn caught_up(&mut self) -> bool {
        let Some((epoch, missed)) = self.following else { return false };
        let seen = self.obeyed_in(epoch);
        let missed = missed.filter(|last| seen.is_none_or(|seen| seen < *last));
        self.following = Some((epoch, missed));
        missed.is_none()
    }

    /// What an operator did that is more than a change.
    fn obey(&self, cache: &Cache, control: &ControlBody) {
        // Before anything else: a number that was heard of is never asked for again.
        match control.action.as_str() {
            ERASED => {
                let Some((space, _)) = control.subject.split_once('/') else { return };
                cache.erase(self.store, space);
                tracing::warn!(
                    space,
                    control = control.sequence,
                    "something was erased: all that was made of the space is dropped"
                );
            }
            ERASABLE => cache.foresee_erasure(self.store, &control.subject),
            _ => {}
        }
    }
}

/// The control record that a cursor stands at: its last part.
fn control_of(cursor: &Cursor) -> Option<u64> {
    cursor.0.rsplit('.').next().and_then(|control| control.parse().ok())
}

/// Tells what a commit changed: keys, and spaces as a whole.
fn changes(commit: &CommitBody, mut tell: impl FnMut(&str, Option<&str>, Timestamp)) {
    let at = commit.effective.0;
    for write in &commit.writes {
        tell(&write.space, Some(&write.key), at);
    }
    for space in &commit.opened {
        tell(space, None, at);
    }
}

#[cfg(test)]
mod tests {
    use asof_cache::Settings;

    use super::*;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    fn time(epoch: u64, closed: u64, control_sequence: u64) -> TimeBody {
        TimeBody {
            epoch: Epoch::from_random(epoch).into(),
            floor: Timestamp::MIN.into(),
            closed: at(closed).into(),
            cap: None,
            latest: at(closed).into(),
            control_sequence,
        }
    }

    fn heartbeat(epoch: u64, through: u64, control: u64) -> FeedMessage {
        let epoch = Epoch::from_random(epoch);
        FeedMessage {
            event: FeedEvent::Heartbeat,
            cursor: Cursor::after_snapshot_of(epoch, at(through), control),
            through: at(through).into(),
            epoch: epoch.into(),
            floor: Timestamp::MIN.into(),
            cap: None,
        }
    }

    /// A store that is restored between two questions of its follower: the feed of the new timeline
    /// must not go on where the old one was.
    #[test]
    fn a_feed_of_another_timeline_is_not_taken_for_the_one_that_was_asked_for() {
        let (cache, mut hearing) = (Cache::new(Settings::default()), Hearing::new(StoreId(0)));
        let asked = time(1, 100, 4);
        let TakeUp { after, wants_spaces } = hearing.take_up(&asked);
        assert_eq!(
            (after.0.split('.').next().unwrap(), wants_spaces),
            (&*asked.epoch.0.to_string(), true)
        );
        hearing.begin(&cache, &asked, &[]);
        let other = hearing.take(&cache, &heartbeat(2, 200, 4));
        assert_eq!(other, Err(OtherTimeline(Epoch::from_random(2))));
        assert_eq!(cache.index().through(StoreId(0)), Some(at(100)), "nothing of it is taken");
        assert!(hearing.take(&cache, &heartbeat(1, 101, 4)).unwrap().is_some());
    }

    #[test]
    fn the_moment_stays_until_all_was_heard_that_was_missed() {
        let (cache, mut hearing) = (Cache::new(Settings::default()), Hearing::new(StoreId(0)));
        assert!(hearing.begin(&cache, &time(1, 100, 4), &[]).1.is_some());
        // Away meanwhile: two control records came, and either may be an erasure.
        let later = time(1, 200, 6);
        assert!(hearing.take_up(&later).after.0.ends_with(".4"), "they are asked for");
        assert_eq!(hearing.begin(&cache, &later, &[]).1, None);
        assert_eq!(hearing.take(&cache, &heartbeat(1, 200, 5)).unwrap(), None);
        let heard = hearing.take(&cache, &heartbeat(1, 201, 6)).unwrap().unwrap();
        assert_eq!(heard.through, at(201));
    }
}
