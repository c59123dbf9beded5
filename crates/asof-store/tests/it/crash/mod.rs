//! Power fails at every write, every change of length and every sync; writes and syncs fail.
//!
//! A fixed piece of work is done once without failures, and all that can be seen of the store is
//! noted after each step. With a failure in it the same work runs the same up to there, so what
//! is found afterwards has to be one of two notes: before the step under way, or after it.

mod erase;
mod release;
mod retention;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use asof_env::testing::{ManualClock, SimDisk};
use asof_store::{AsOf, Cursor, Health, HistoryRange, LogRange, ScanRange, Store, WithValues};
use asof_time::Timestamp;

use crate::dice::for_seeds;
use crate::run::SECOND;
use crate::steps::Stepped;
use crate::world::{START, at, key, now, put, space};
use work::{Step, work};

/// All that can be seen of a store, but for how far closed is. With the audit log, so a control
/// action and its record are there together or not at all.
fn note(store: &Store) -> String {
    let mut all = String::new();
    let mut add = |text: String| {
        all += &text;
        all.push('\n');
    };
    add(format!("{:?}\n{:?}\n{:?}", store.spaces(), store.cap(), store.pins()));
    add(format!("{:?}", store.control_log(0, 1_000).expect("readable")));
    add(format!("{:?}", store.bad_commits()));
    add(format!("{:?}", store.erasures(0, 100).expect("readable")));
    let live_and_pending = [
        store.log_beyond_cap(&LogRange { after: Cursor::START, spaces: None, limit: 1_000 }),
        store.pending(Cursor::START, 1_000),
    ];
    for page in live_and_pending {
        for commit in page.expect("readable").commits {
            add(format!("{commit:?}"));
        }
    }
    let view = store.view(AsOf::Preview(Timestamp::MAX)).expect("readable");
    for info in store.spaces() {
        let everything = ScanRange {
            prefix: String::new(),
            after: None,
            limit: 1_000,
            values: WithValues::Include,
        };
        let Ok(page) = view.scan(&info.name, &everything) else {
            continue;
        };
        add(format!("{:?}", page.value));
        for name in ["k", "once", "new", "gone", "h0", "h1", "h2"] {
            let range = HistoryRange { from: info.floor, before: None, limit: 1_000 };
            let history = view.history(&info.name, &key(name), &range);
            add(format!("{history:?}"));
        }
    }
    for n in 1..9 {
        let source = store.source(&space("x"), &format!("source {n}"));
        add(format!("{:?}", source.unwrap_or_default()));
    }
    for release in store.releases() {
        add(format!("{:?}", store.release(&release.name).expect("readable")));
    }
    all
}

/// Work being done, and how far it is known to have come.
struct Attempt {
    clock: Arc<ManualClock>,
    disk: Arc<SimDisk>,
    store: Option<Store>,
    /// The highest closed that anyone was told.
    told: Arc<AtomicU64>,
    /// Steps that were acknowledged: a pass of time, then the step itself.
    done: usize,
}

fn start(disk: SimDisk) -> Attempt {
    let (clock, disk) = (Arc::new(ManualClock::new(at(START))), Arc::new(disk));
    let told = Arc::new(AtomicU64::new(0));
    let store = Stepped::open(&clock, disk.clone()).ok().map(|world| world.store);
    if let Some(store) = &store {
        told.store(store.time().closed.as_micros(), Ordering::Relaxed);
        let told = told.clone();
        let hook = move |time: asof_store::StoreTime, _| {
            let before = told.swap(time.closed.as_micros(), Ordering::Relaxed);
            assert!(before <= time.closed.as_micros(), "closed never steps back");
        };
        store.on_publish(Box::new(hook));
    }
    Attempt { clock, disk, store, told, done: 0 }
}

impl Attempt {
    /// Goes on until the end or the first failure; `after` sees the store after each half step.
    fn go(&mut self, work: &[Step], mut after: impl FnMut(&Store)) {
        let Some(store) = &self.store else {
            return;
        };
        for step in work {
            self.clock.advance(Duration::from_millis(100));
            let ticked = store.tick();
            assert!(ticked.is_ok(), "a tick that fails closes nothing");
            if self.failed(store) {
                return;
            }
            self.done += 1;
            after(store);
            if step(store).is_err() || self.failed(store) {
                return;
            }
            self.done += 1;
            after(store);
        }
    }

    fn failed(&self, store: &Store) -> bool {
        self.disk.is_down() || matches!(store.health(), Health::ReadOnly(_))
    }

    fn told(&self) -> Timestamp {
        at(self.told.load(Ordering::Relaxed))
    }
}

/// What there is to see after no, one, two... half steps.
fn notes(work: &[Step]) -> (Vec<String>, Arc<SimDisk>) {
    let mut attempt = start(SimDisk::new());
    let mut notes = vec![note(attempt.store.as_ref().expect("an empty store"))];
    attempt.go(work, |store| notes.push(note(store)));
    assert_eq!(notes.len(), 2 * work.len() + 1, "all of the work is done");
    drop(attempt.store.take());
    (notes, attempt.disk)
}

#[track_caller]
fn assert_before_or_after(notes: &[String], done: usize, store: &Store, story: &str) {
    let found = note(store);
    let expected: Vec<&String> = notes.iter().skip(done).take(2).collect();
    assert!(
        expected.contains(&&found),
        "{story}: after {done} half steps there is\n{found}\nand not\n{}",
        expected.iter().map(|note| note.as_str()).collect::<Vec<_>>().join("\nor\n")
    );
    let report = store.verify(&mut |_| {}).expect("readable");
    assert_eq!(report.problems, [""; 0], "{story}");
}

#[test]
fn power_may_fail_at_any_operation_of_a_store() {
    let work = work();
    let (notes, disk) = notes(&work);
    let operations = disk.operations();
    assert!(operations > 200, "{operations}");
    for_seeds("power_may_fail_at_any_operation_of_a_store", 4, |seed| {
        lose_power_at_each(&work, &notes, operations, |cut| cut * 1_000 + seed);
    });
}

/// Does the work with a cut at each of its `operations`; `image` numbers what of the unsynced is left
/// by it.
fn lose_power_at_each(
    work: &[Step],
    notes: &[String],
    operations: u64,
    image: impl Fn(u64) -> u64,
) {
    for cut in 0..operations {
        let disk = SimDisk::new();
        disk.lose_power_at(cut);
        let mut attempt = start(disk);
        attempt.go(work, |_| {});
        drop(attempt.store.take());
        let number = image(cut);
        let story = format!("cut at operation {cut} of {operations}, image {number}");
        assert_recovers(&attempt, notes, Arc::new(attempt.disk.after_crash(number)), &story);
    }
}

#[track_caller]
fn assert_recovers(attempt: &Attempt, notes: &[String], image: Arc<SimDisk>, story: &str) {
    let world =
        Stepped::open(&attempt.clock, image).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert!(world.closed() >= attempt.told(), "{story}: closed never steps back");
    assert_before_or_after(notes, attempt.done, &world.store, story);
    let (found, closed) = (note(&world.store), world.closed());
    let again = world.crash(7);
    assert!(again.closed() >= closed, "{story}");
    assert_eq!(note(&again.store), found, "{story}: the second start finds something else");
    let next = again.store.commit(now(vec![put("after", "k", "1")])).expect("it takes writes");
    assert!(next.effective > attempt.told(), "{story}: nothing takes effect at or below closed");
}

/// Does the work with one failure in it, waits until the store has opened its file again, and
/// holds what is there against the notes. Returns whether the failure came to pass.
fn assert_survives(work: &[Step], notes: &[String], disk: SimDisk, story: &str) -> bool {
    let mut attempt = start(disk);
    if attempt.store.is_none() {
        // Making the store failed; trying again makes it.
        let store = Stepped::open(&attempt.clock, attempt.disk.clone());
        attempt.store = Some(store.unwrap_or_else(|error| panic!("{story}: {error}")).store);
    } else {
        attempt.go(work, |_| {});
    }
    let Attempt { clock, store: Some(store), done, .. } = &attempt else {
        panic!("{story}: there is a store");
    };
    if *done == 2 * work.len() {
        return false;
    }
    let refused = store.commit(now(vec![put("refused", "k", "1")]));
    let read_only = matches!(store.health(), Health::ReadOnly(_));
    assert!(refused.is_err() == read_only || *done == 0, "{story}: read-only refuses writes");
    if *done == 0 {
        return true;
    }
    // The frozen moment cannot be left before the file is open again; then nothing is missing.
    clock.advance(2 * SECOND);
    store.tick().expect("the writer goes on");
    assert!(!matches!(store.health(), Health::ReadOnly(_)), "{story}: {:?}", store.health());
    assert!(store.time().closed >= attempt.told());
    let (found, expected) = (note(store), notes.get(*done..).unwrap_or_default());
    // Two seconds on, the brief pin or the cap may have lapsed in the same tick.
    let is_there =
        expected.iter().take(2).any(|note| without_lapsed(note) == without_lapsed(&found));
    assert!(is_there, "{story}: after {done} half steps there is\n{found}");
    let report = store.verify(&mut |_| {}).expect("readable");
    assert_eq!(report.problems, [""; 0], "{story}");
    let told = attempt.told();
    let next = store.commit(now(vec![put("after", "k", "1")])).expect("it takes writes again");
    assert!(next.effective > told);
    true
}

/// A note without the lines that a pin or a cap changes when its time is over.
fn without_lapsed(note: &str) -> Vec<&str> {
    note.lines().enumerate().filter(|(n, _)| ![1, 2, 3].contains(n)).map(|(_, line)| line).collect()
}

/// Power may fail at any operation of `work`, of which there are more than fifty.
fn power_may_fail_anywhere(work: &[Step]) {
    let (notes, disk) = notes(work);
    let operations = disk.operations();
    assert!(operations > 50, "{operations}");
    lose_power_at_each(work, &notes, operations, |cut| cut);
}

/// Any write of `work` may fail.
fn any_write_may_fail(work: &[Step]) {
    let (notes, disk) = notes(work);
    for n in 0..disk.writes() {
        let disk = SimDisk::new();
        disk.fail_write_at(n);
        assert_survives(work, &notes, disk, &format!("the disk is full at write {n}"));
    }
}

/// Any sync of `work` may fail.
fn any_sync_may_fail(work: &[Step]) {
    let (notes, disk) = notes(work);
    for n in 0..disk.syncs() {
        let disk = SimDisk::new();
        disk.fail_sync_at(n);
        assert_survives(work, &notes, disk, &format!("sync {n} fails"));
    }
}

#[test]
fn any_write_may_fail_and_the_store_recovers_without_losing_a_commit() {
    any_write_may_fail(&work());
}

#[test]
fn any_sync_may_fail_and_the_store_recovers_without_losing_a_commit() {
    any_sync_may_fail(&work());
}
