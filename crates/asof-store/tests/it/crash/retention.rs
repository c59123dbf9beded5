//! Power fails while history is being dropped.

use std::sync::Arc;

use asof_env::testing::{ManualClock, SimDisk};
use asof_store::{AsOf, DryRun, Retention, Store};
use asof_time::Timestamp;

use crate::run::SECOND;
use crate::steps::Stepped;
use crate::world::{START, actor, at, delete, key, now, put, space};

/// A store with history that a pass of retention is about to drop.
fn with_old_history() -> (Arc<ManualClock>, Vec<u8>, Vec<Timestamp>) {
    let world = Stepped::new(at(START));
    let mut moments = Vec::new();
    for n in 0..12 {
        let value = n.to_string();
        let writes = match n % 4 {
            3 => vec![delete("a", "k"), put("b", "k", &value)],
            _ => vec![put("a", "k", &value), put("a", &value, &value), put("b", "l", &value)],
        };
        world.store.commit(now(writes)).expect("writable");
        moments.push(world.pass(SECOND));
    }
    let sparse = Retention::Sparse { dense: 3 * SECOND, every: 2 * SECOND };
    for (name, policy) in [("a", sparse), ("b", Retention::KeepFor(4 * SECOND))] {
        let outcome = world.store.set_retention(&space(name), policy, actor("space"), DryRun::No);
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
            let read = store.view(AsOf::At(*at)).and_then(|v| v.get(&space(name), &key(k)));
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
                assert!(found.is_none() || told.is_none() || found == told, "cut at {cut}");
            }
            let report = again.store.verify(&mut |_| {}).expect("readable");
            assert_eq!(report.problems, [""; 0], "cut at {cut}");
        }
    }
}
