//! Power fails at every write, every change of length and every sync; writes and syncs fail.
//!
//! A fixed piece of work is done once without failures, and all that can be seen of the store is
//! noted after each step. With a failure in it the same work runs the same up to there, so what
//! is found afterwards has to be one of two notes: before the step under way, or after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use asof_env::testing::{ManualClock, SimDisk};
use asof_store::{
    Amendment, AsOf, Backfill, CommitRequest, Cursor, DryRun, Health, HistoryRange, IdempotencyKey,
    LogRange, PinRequest, Result, Retention, ScanRange, Store, WithValues,
};
use asof_time::{Sequence, Timestamp};

use crate::dice::for_seeds;
use crate::run::SECOND;
use crate::steps::Stepped;
use crate::world::{START, actor, at, delete, key, later, now, put, space};

type Step = Box<dyn Fn(&Store) -> Result<()>>;

fn step<T: 'static>(work: impl Fn(&Store) -> Result<T> + 'static) -> Step {
    Box::new(move |store| work(store).map(|_| ()))
}

fn commit(request: CommitRequest) -> Step {
    step(move |store| store.commit(request.clone()))
}

fn id(number: u64) -> Sequence {
    Sequence::new(number).expect("an id")
}

fn backfill(n: u64) -> Backfill {
    Backfill {
        source_id: format!("source {n}"),
        at: at(n * 1_000),
        author: "history".into(),
        message: format!("history {n}"),
        writes: vec![(
            key(&format!("h{}", n % 3)),
            put("x", "x", &n.to_string()).op,
        )],
    }
}

/// Every kind of change. A tenth of a second passes before each.
fn work() -> Vec<Step> {
    let soon = |millis: u64| at(START).saturating_add(Duration::from_millis(millis));
    let big = "x".repeat(9_000);
    let once = CommitRequest {
        idempotency: Some(IdempotencyKey::new("once").expect("a key")),
        ..now(vec![put("a", "once", "1")])
    };
    let by = || actor("crash");
    let pin = |name: &str, ttl| {
        let request = PinRequest {
            name: name.into(),
            owner: "tester".into(),
            reason: String::new(),
            at: Some(Timestamp::MIN),
            ttl,
        };
        step(move |store| store.create_pin(request.clone()))
    };
    let amendment = Amendment {
        effective: Some(soon(4_000)),
        message: Some("moved".into()),
        writes: Some(vec![put("a", "k", "moved"), put("b", "new", "moved")]),
    };
    vec![
        // Holds all history, so that opening the store has nothing to drop.
        pin("hold", Duration::from_hours(1)),
        commit(now(vec![put("a", "k", "1")])),
        commit(now(vec![
            put("a", "k", "2"),
            put("b", "k", &big),
            put("c", "k", "1"),
        ])),
        commit(later(
            soon(2_500),
            vec![put("a", "k", "later"), put("b", "k", "later")],
        )),
        commit(later(soon(3_000), vec![put("a", "gone", "never")])),
        step(move |store| store.amend(id(5), amendment.clone(), by())),
        step(move |store| store.cancel(id(6), by())),
        commit(once),
        step(move |store| store.create_importing_space(&space("x"), by())),
        step(|store| store.import(&space("x"), (1..5).map(backfill).collect())),
        step(|store| store.import(&space("x"), (3..9).map(backfill).collect())),
        step(move |store| store.go_live(&space("x"), by())),
        step(move |store| {
            let policy = Retention::KeepFor(SECOND);
            store.set_retention(&space("x"), policy, by(), DryRun::No)
        }),
        step(move |store| store.set_cap(store.time().closed, by(), DryRun::No)),
        pin("job", Duration::from_hours(1)),
        pin("brief", Duration::from_millis(250)),
        step(move |store| store.clear_cap(by(), DryRun::No)),
        commit(now(vec![
            delete("a", "k"),
            delete("a", "never"),
            put("c", "k", "3"),
        ])),
        step(move |store| store.release_pin("job", by(), DryRun::No)),
        step(move |store| {
            let policy = Retention::Sparse {
                dense: SECOND,
                every: SECOND,
            };
            store.set_retention(&space("a"), policy, by(), DryRun::No)
        }),
        step(Store::tick),
        commit(now(vec![put("a", "k", "last")])),
        step(Store::tick),
    ]
}

/// All that can be seen of a store, but for how far closed is. With the audit log, so a control
/// action and its record are there together or not at all.
fn note(store: &Store) -> String {
    let mut all = String::new();
    let mut add = |text: String| {
        all += &text;
        all.push('\n');
    };
    add(format!(
        "{:?}\n{:?}\n{:?}",
        store.spaces(),
        store.cap(),
        store.pins()
    ));
    add(format!(
        "{:?}",
        store.control_log(0, 1_000).expect("readable")
    ));
    let live_and_pending = [
        store.log(&LogRange {
            after: Cursor::START,
            spaces: None,
            limit: 1_000,
        }),
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
            let range = HistoryRange {
                from: info.floor,
                before: None,
                limit: 1_000,
            };
            let history = view
                .history(&info.name, &key(name), &range)
                .expect("readable");
            add(format!("{history:?}"));
        }
    }
    for n in 1..9 {
        let source = store.source(&space("x"), &format!("source {n}"));
        add(format!("{:?}", source.unwrap_or_default()));
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
    let store = Stepped::open(&clock, disk.clone())
        .ok()
        .map(|world| world.store);
    if let Some(store) = &store {
        told.store(store.time().closed.as_micros(), Ordering::Relaxed);
        let told = told.clone();
        let hook = move |time: asof_store::StoreTime, _| {
            let before = told.swap(time.closed.as_micros(), Ordering::Relaxed);
            assert!(before <= time.closed.as_micros(), "closed never steps back");
        };
        store.on_publish(Box::new(hook));
    }
    Attempt {
        clock,
        disk,
        store,
        told,
        done: 0,
    }
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
        expected
            .iter()
            .map(|note| note.as_str())
            .collect::<Vec<_>>()
            .join("\nor\n")
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
        for cut in 0..operations {
            let disk = SimDisk::new();
            disk.lose_power_at(cut);
            let mut attempt = start(disk);
            attempt.go(&work, |_| {});
            drop(attempt.store.take());
            let story = format!("cut at operation {cut} of {operations}, seed {seed}");
            let image = Arc::new(attempt.disk.after_crash(cut * 1_000 + seed));
            assert_recovers(&attempt, &notes, image, &story);
        }
    });
}

#[track_caller]
fn assert_recovers(attempt: &Attempt, notes: &[String], image: Arc<SimDisk>, story: &str) {
    let world =
        Stepped::open(&attempt.clock, image).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert!(
        world.closed() >= attempt.told(),
        "{story}: closed never steps back"
    );
    assert_before_or_after(notes, attempt.done, &world.store, story);
    let (found, closed) = (note(&world.store), world.closed());
    let again = world.crash(7);
    assert!(again.closed() >= closed, "{story}");
    assert_eq!(
        note(&again.store),
        found,
        "{story}: the second start finds something else"
    );
    let next = again
        .store
        .commit(now(vec![put("after", "k", "1")]))
        .expect("it takes writes");
    assert!(
        next.effective > attempt.told(),
        "{story}: nothing takes effect at or below closed"
    );
}

/// Does the work with one failure in it, waits until the store has opened its file again, and
/// holds what is there against the notes. Returns whether the failure came to pass.
fn assert_survives(work: &[Step], notes: &[String], disk: SimDisk, story: &str) -> bool {
    let mut attempt = start(disk);
    if attempt.store.is_none() {
        // Making the store failed; trying again makes it.
        let store = Stepped::open(&attempt.clock, attempt.disk.clone());
        attempt.store = Some(
            store
                .unwrap_or_else(|error| panic!("{story}: {error}"))
                .store,
        );
    } else {
        attempt.go(work, |_| {});
    }
    let Attempt {
        clock,
        store: Some(store),
        done,
        ..
    } = &attempt
    else {
        panic!("{story}: there is a store");
    };
    if *done == 2 * work.len() {
        return false;
    }
    let refused = store.commit(now(vec![put("refused", "k", "1")]));
    let read_only = matches!(store.health(), Health::ReadOnly(_));
    assert!(
        refused.is_err() == read_only || *done == 0,
        "{story}: read-only refuses writes"
    );
    if *done == 0 {
        return true;
    }
    // The frozen moment cannot be left before the file is open again; then nothing is missing.
    clock.advance(2 * SECOND);
    store.tick().expect("the writer goes on");
    assert!(
        !matches!(store.health(), Health::ReadOnly(_)),
        "{story}: {:?}",
        store.health()
    );
    assert!(store.time().closed >= attempt.told());
    let (found, expected) = (note(store), notes.get(*done..).unwrap_or_default());
    // Two seconds on, the brief pin may have lapsed in the same tick.
    let is_there = expected
        .iter()
        .take(2)
        .any(|note| without_pins(note) == without_pins(&found));
    assert!(
        is_there,
        "{story}: after {done} half steps there is\n{found}"
    );
    let report = store.verify(&mut |_| {}).expect("readable");
    assert_eq!(report.problems, [""; 0], "{story}");
    let told = attempt.told();
    let next = store
        .commit(now(vec![put("after", "k", "1")]))
        .expect("it takes writes again");
    assert!(next.effective > told);
    true
}

/// A note without the lines that a lapsed pin changes.
fn without_pins(note: &str) -> Vec<&str> {
    note.lines()
        .enumerate()
        .filter(|(n, _)| ![2, 3].contains(n))
        .map(|(_, line)| line)
        .collect()
}

#[test]
fn any_write_may_fail_and_the_store_recovers_without_losing_a_commit() {
    let work = work();
    let (notes, disk) = notes(&work);
    for n in 0..disk.writes() {
        let disk = SimDisk::new();
        disk.fail_write_at(n);
        assert_survives(
            &work,
            &notes,
            disk,
            &format!("the disk is full at write {n}"),
        );
    }
}

#[test]
fn any_sync_may_fail_and_the_store_recovers_without_losing_a_commit() {
    let work = work();
    let (notes, disk) = notes(&work);
    for n in 0..disk.syncs() {
        let disk = SimDisk::new();
        disk.fail_sync_at(n);
        assert_survives(&work, &notes, disk, &format!("sync {n} fails"));
    }
}

/// A store with history that a pass of retention is about to drop.
fn with_old_history() -> (Arc<ManualClock>, Vec<u8>, Vec<Timestamp>) {
    let world = Stepped::new(at(START));
    let mut moments = Vec::new();
    for n in 0..12 {
        let value = n.to_string();
        let writes = match n % 4 {
            3 => vec![delete("a", "k"), put("b", "k", &value)],
            _ => vec![
                put("a", "k", &value),
                put("a", &value, &value),
                put("b", "l", &value),
            ],
        };
        world.store.commit(now(writes)).expect("writable");
        moments.push(world.pass(SECOND));
    }
    let sparse = Retention::Sparse {
        dense: 3 * SECOND,
        every: 2 * SECOND,
    };
    for (name, policy) in [("a", sparse), ("b", Retention::KeepFor(4 * SECOND))] {
        let outcome = world
            .store
            .set_retention(&space(name), policy, actor("space"), DryRun::No);
        outcome.expect("a policy");
    }
    let Stepped { clock, disk, store } = world;
    drop(store);
    (clock, disk.bytes(), moments)
}

/// What is readable in both spaces at each moment; `None` where it was dropped.
fn readable(store: &Store, moments: &[Timestamp]) -> Vec<Option<String>> {
    let mut all = Vec::new();
    let names = [("a", "k"), ("a", "0"), ("a", "9"), ("b", "k"), ("b", "l")];
    for at in moments {
        for (name, k) in names {
            let read = store
                .view(AsOf::At(*at))
                .and_then(|v| v.get(&space(name), &key(k)));
            all.push(match read {
                Ok(read) => {
                    assert!(read.validity.is_some_and(|validity| validity.contains(*at)));
                    Some(format!("{:?}", read.value))
                }
                Err(error) => {
                    assert_eq!(error.kind().as_str(), "BelowFloor", "{error}");
                    None
                }
            });
        }
    }
    all
}

#[test]
fn power_may_fail_at_any_operation_of_a_retention_pass() {
    let (clock, bytes, moments) = with_old_history();
    let pass = |disk: Arc<SimDisk>| {
        let world = Stepped::open(&clock, disk)?;
        for _ in 0..8 {
            world.store.tick()?;
        }
        Ok::<_, asof_store::Error>(world)
    };
    let disk = Arc::new(SimDisk::with_bytes(bytes.clone()));
    let world = pass(disk.clone()).expect("a whole pass");
    let kept = readable(&world.store, &moments);
    assert!(kept.iter().any(Option::is_none) && kept.iter().any(Option::is_some));
    drop(world);
    let all = {
        let file = Arc::new(SimDisk::with_bytes(bytes.clone()));
        let options = crate::steps::options(&clock);
        let unswept = Store::open_file(file, options).expect("it opens");
        readable(&unswept, &moments)
    };
    for cut in 0..disk.operations() {
        let broken = Arc::new(SimDisk::with_bytes(bytes.clone()));
        broken.lose_power_at(cut);
        drop(pass(broken.clone()));
        for seed in 0..2 {
            let image = Arc::new(broken.after_crash(cut * 10 + seed));
            let again = pass(image).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
            let found = readable(&again.store, &moments);
            assert_eq!(found, kept, "cut at {cut}");
            for (found, told) in found.iter().zip(&all) {
                assert!(
                    found.is_none() || told.is_none() || found == told,
                    "cut at {cut}"
                );
            }
            let report = again.store.verify(&mut |_| {}).expect("readable");
            assert_eq!(report.problems, [""; 0], "cut at {cut}");
        }
    }
}
