//! A follower that is killed and resumed anywhere sees each change once, in order.

use std::collections::BTreeMap;

use asof_store::{AsOf, ControlAction, Cursor, ErrorKind, FeedItem, FeedPage, Retention};
use asof_time::Timestamp;

use crate::dice::{Dice, for_each_seed};
use crate::oracle::Place;
use crate::run::{Run, SECOND, WithRetention};
use crate::steps::Stepped;
use crate::world::{START, actor, at, delete, key, later, now, put, space};

/// A follower and what it has seen.
struct Follower {
    cursor: Cursor,
    through: Timestamp,
    commits: Vec<Place>,
    controls: Vec<u64>,
    /// Where it could be killed: a cursor, and how much was seen by then.
    stops: Vec<(Cursor, usize, usize)>,
}

impl Follower {
    fn new() -> Self {
        Self {
            cursor: Cursor::START,
            through: Timestamp::MIN,
            commits: Vec::new(),
            controls: Vec::new(),
            stops: vec![(Cursor::START, 0, 0)],
        }
    }

    /// Takes one page; returns whether there is more.
    fn poll(&mut self, world: &Stepped, limit: usize) -> bool {
        let page = world.store.feed(self.cursor, None, limit).expect("above the floor of the log");
        assert!(page.items.len() <= limit);
        assert!(page.through >= self.through, "what is complete stays complete");
        assert!(page.through <= world.closed());
        for (cursor, item) in &page.items {
            assert!(*cursor > self.cursor, "cursors go forward");
            self.cursor = *cursor;
            match item {
                FeedItem::Control(record) => self.controls.push(record.sequence),
                FeedItem::Commit(commit) => {
                    assert!(
                        commit.effective > self.through,
                        "{commit:?} came although all through {:?} was told",
                        self.through
                    );
                    assert!(!commit.backfilled);
                    self.commits.push((commit.effective, commit.id));
                }
            }
            self.stop();
        }
        assert!(page.cursor >= self.cursor);
        (self.cursor, self.through) = (page.cursor, page.through);
        self.stop();
        let FeedPage { more, epoch, .. } = page;
        assert_eq!(epoch, world.store.time().epoch);
        assert!(more || page.through == world.closed(), "a heartbeat moves through");
        more
    }

    fn stop(&mut self) {
        self.stops.push((self.cursor, self.commits.len(), self.controls.len()));
    }

    fn catch_up(&mut self, world: &Stepped, limit: usize) {
        while self.poll(world, limit) {}
    }
}

/// What every follower from the start has to see by now.
fn expected(run: &Run) -> Vec<Place> {
    let closed = run.world.closed();
    let visible = run.oracle.commits.iter();
    let visible = visible.filter(|(place, commit)| !commit.backfilled && place.0 <= closed);
    visible.map(|(place, _)| *place).collect()
}

#[test]
fn a_follower_sees_each_change_once_in_order_wherever_it_is_killed() {
    let name = "a_follower_sees_each_change_once_in_order_wherever_it_is_killed";
    for_each_seed(name, |seed| {
        let mut run = Run::new(Dice::seed(seed), WithRetention::No);
        let mut follower = Follower::new();
        for step in 0..120 {
            run.step();
            if run.dice.one_in(3) {
                let limit = 1 + run.dice.index(3);
                follower.poll(&run.world, limit);
            }
            if step % 50 == 49 {
                run = run.crash(seed + step);
            }
        }
        // What is still pending comes when its time does.
        for _ in 0..12 {
            run.pass(SECOND);
            follower.poll(&run.world, 2);
        }
        follower.catch_up(&run.world, 3);
        let all = expected(&run);
        assert_eq!(follower.commits, all);
        let controls: Vec<u64> = (1..=run.world.store.control_sequence()).collect();
        assert_eq!(follower.controls, controls);
        for (cursor, commits, controls_seen) in follower.stops {
            let mut resumed = Follower { cursor, ..Follower::new() };
            let limit = 1 + run.dice.index(5);
            resumed.catch_up(&run.world, limit);
            assert_eq!(resumed.commits, all.get(commits..).unwrap_or_default(), "from {cursor}");
            assert_eq!(resumed.controls, controls.get(controls_seen..).unwrap_or_default());
        }
    });
}

#[test]
fn a_snapshot_and_the_feed_after_it_have_no_gap() {
    for_each_seed("a_snapshot_and_the_feed_after_it_have_no_gap", |seed| {
        let mut run = Run::new(Dice::seed(seed), WithRetention::No);
        for _ in 0..60 {
            run.step();
        }
        let control = run.world.store.control_sequence();
        let t = run.moment().min(run.world.store.time().latest);
        let mut state = values(&run, t);
        for _ in 0..40 {
            run.step();
        }
        let _ = run.world.store.clear_cap(
            asof_store::ClearCap::default(),
            actor("over"),
            asof_store::DryRun::No,
        );
        let mut cursor = Cursor::after_snapshot(t, control);
        loop {
            let page = run.world.store.feed(cursor, None, 3).expect("above the floor");
            for (_, item) in page.items {
                if let FeedItem::Control(record) = &item
                    && record.action == ControlAction::KeyErased
                {
                    let (of, name) = record.subject.split_once('/').expect("space/key");
                    state.remove(&(space(of), key(name)));
                }
                if let FeedItem::Commit(commit) = item {
                    for write in commit.writes {
                        let content = write.content.put().map(|(hash, _)| hash);
                        state.insert((write.space, write.key), content);
                    }
                    // A space that went live comes with all of its history at once.
                    for name in commit.opened {
                        for (place, value) in values(&run, commit.effective) {
                            if place.0 == name {
                                state.insert(place, value);
                            }
                        }
                    }
                }
            }
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        state.retain(|_, value| value.is_some());
        let mut wanted = values(&run, run.world.closed());
        wanted.retain(|_, value| value.is_some());
        assert_eq!(state, wanted);
    });
}

type Values = BTreeMap<(asof_store::SpaceName, asof_store::Key), Option<asof_store::ContentHash>>;

/// Everything that live spaces hold at `t`, as the store says.
fn values(run: &Run, t: Timestamp) -> Values {
    let view = run.world.store.view(AsOf::At(t)).expect("closed");
    let mut values = Values::new();
    for (space, known) in &run.oracle.spaces {
        if known.importing {
            continue;
        }
        for key in run.oracle.keys(space) {
            if run.oracle.is_erased(space, &key) {
                continue;
            }
            let read = view.get(space, &key).expect("readable");
            values.insert((space.clone(), key), read.value.map(|version| version.hash));
        }
    }
    values
}

fn commits(world: &Stepped, after: Cursor) -> Vec<u64> {
    let mut follower = Follower { cursor: after, ..Follower::new() };
    follower.catch_up(world, 2);
    follower.commits.into_iter().map(|(_, id)| id.as_u64()).collect()
}

#[test]
fn a_cancelled_commit_is_never_emitted_and_an_amended_one_at_its_new_time() {
    let world = Stepped::new(at(START));
    let when = |seconds: u32| at(START).saturating_add(seconds * SECOND);
    let schedule = |seconds, value: &str| {
        world.store.commit(later(when(seconds), vec![put("s", "k", value)])).unwrap().id
    };
    let (cancelled, moved, kept) = (schedule(5, "a"), schedule(6, "b"), schedule(7, "c"));
    let amendment =
        asof_store::Amendment { effective: Some(when(8)), ..asof_store::Amendment::default() };
    world.store.cancel(cancelled, actor("no")).unwrap();
    world.store.amend(moved, amendment, actor("later")).unwrap();
    let opening = 1;
    world.pass(6 * SECOND);
    assert_eq!(commits(&world, Cursor::START), [opening]);
    world.pass(SECOND);
    assert_eq!(commits(&world, Cursor::START), [opening, kept.as_u64()]);
    world.pass(SECOND);
    assert_eq!(commits(&world, Cursor::START), [opening, kept.as_u64(), moved.as_u64()]);
}

#[test]
fn an_importing_space_is_invisible_and_its_going_live_is_one_event() {
    let world = Stepped::new(at(START));
    let name = space("history");
    world.store.create_importing_space(&name, actor("import")).unwrap();
    let backfill = |n: u64| asof_store::Backfill {
        source_id: n.to_string(),
        at: at(n),
        author: String::new(),
        message: String::new(),
        writes: vec![(key("k"), delete("history", "k").op)],
    };
    world.store.import(&name, (1..9).map(backfill).collect()).unwrap();
    world.pass(SECOND);
    assert_eq!(commits(&world, Cursor::START), [0; 0]);
    let live = world.store.go_live(&name, actor("done")).unwrap();
    assert_eq!(commits(&world, Cursor::START), [live.id.as_u64()]);
    // Listed by the log all the same: it is history now.
    let range = asof_store::LogRange { after: Cursor::START, spaces: None, limit: 100 };
    assert_eq!(world.store.log(&range).unwrap().commits.len(), 9);
}

#[test]
fn a_cursor_below_the_floor_of_the_log_is_told_so() {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    let keep = Retention::KeepFor(2 * SECOND);
    world.store.set_retention(&space("s"), keep, actor("space"), asof_store::DryRun::No).unwrap();
    for _ in 0..10 {
        world.pass(4 * SECOND);
    }
    let floor = world.store.time().floor;
    assert!(floor > at(START));
    let error = world.store.feed(Cursor::START, None, 10).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BelowFloor { floor });
    world.store.feed(Cursor::after_snapshot(floor, 0), None, 10).unwrap();
}

#[test]
fn through_does_not_step_back_while_control_records_fill_the_pages() {
    let world = Stepped::new(at(START));
    let mut follower = Follower::new();
    follower.catch_up(&world, 1);
    for n in 0..4 {
        let name = space(&format!("s{n}"));
        world.store.create_importing_space(&name, actor("import")).unwrap();
    }
    // The follower knows all through closed; four records are no reason to doubt that.
    follower.catch_up(&world, 1);
    assert_eq!(follower.controls, [1, 2, 3, 4]);
}

#[test]
fn a_cursor_above_closed_is_not_called_complete() {
    let world = Stepped::new(at(START));
    let ahead = Cursor::after_snapshot(world.closed().saturating_add(SECOND), 0);
    // Going on from there, the follower would never see what takes effect in between.
    let closed = world.closed();
    let error = world.store.feed(ahead, None, 10).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotYetClosed { closed });
}
