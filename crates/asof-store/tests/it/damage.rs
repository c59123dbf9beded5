//! Flipped bytes and cut files give the right answer or `Corrupt`, never a wrong one.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::sync::Arc;

use asof_env::testing::{ManualClock, SimDisk};
use asof_store::{AsOf, ErrorKind, HistoryRange, ScanRange, Store, WithValues};
use asof_time::Timestamp;

use crate::dice::{Dice, for_each_seed};
use crate::run::{Run, WithRetention};
use crate::steps::{Stepped, options};
use crate::world::{START, at, key, now, put, space};

/// A cleanly closed file, its clock, and what it answers.
fn closed_file() -> (Arc<ManualClock>, Vec<u8>, Vec<String>) {
    let world = Stepped::new(at(START));
    for n in 0..30 {
        let value = format!("{n} {}", "x".repeat(200));
        let writes = vec![put("a", &format!("k{}", n % 7), &value), put("b", "k", &value)];
        world.store.commit(now(writes)).unwrap();
    }
    let answers = answers(&world.store).map(Result::unwrap).collect();
    let Stepped { clock, disk, store } = world;
    drop(store);
    (clock, disk.bytes(), answers)
}

/// Everything that can be read, each by a question of its own.
fn answers(store: &Store) -> impl Iterator<Item = asof_store::Result<String>> {
    let view = store.view(AsOf::At(at(START + 40))).or_else(|_| store.view(AsOf::Latest));
    let view = view.expect("it is open");
    let names = (0..7).map(|n| ("a", format!("k{n}"))).chain([("b", "k".to_owned())]);
    let page =
        ScanRange { prefix: String::new(), after: None, limit: 100, values: WithValues::Include };
    let all = HistoryRange { from: Timestamp::MIN, before: None, limit: 100 };
    let scan = view.scan(&space("a"), &page).map(|read| format!("{:?}", read.value));
    let gets: Vec<_> = names
        .flat_map(|(name, k)| {
            let get = view.get(&space(name), &key(&k)).map(|read| format!("{:?}", read.value));
            let history = view.history(&space(name), &key(&k), &all);
            let versions = history.map(|page| {
                let content = page.versions.into_iter().map(|v| (v.effective, v.commit, v.content));
                format!("{:?}", content.collect::<Vec<_>>())
            });
            [get, versions]
        })
        .collect();
    core::iter::once(scan).chain(gets)
}

#[track_caller]
fn assert_right_or_corrupt(clock: &Arc<ManualClock>, disk: SimDisk, told: &[String], story: &str) {
    let store = match Store::open_file(Arc::new(disk), options(clock)) {
        Ok(store) => store,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{story}: {error}");
            return;
        }
    };
    for (found, told) in answers(&store).zip(told) {
        match found {
            Ok(found) => assert!(found == *told, "{story}: {found}, not {told}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{story}: {error}"),
        }
    }
}

#[test]
fn a_flipped_byte_is_corrupt_or_of_no_matter() {
    let (clock, bytes, told) = closed_file();
    for_each_seed("a_flipped_byte_is_corrupt_or_of_no_matter", |seed| {
        let mut dice = Dice::seed(seed);
        for _ in 0..40 {
            // The beginning holds what everything else hangs on.
            let within = if dice.one_in(3) { bytes.len().min(16_384) } else { bytes.len() };
            let (offset, xor) = (dice.index(within), 1 << dice.below(8));
            let disk = SimDisk::with_bytes(bytes.clone());
            disk.corrupt(offset, xor);
            assert_right_or_corrupt(&clock, disk, &told, &format!("{offset} ^ {xor}"));
        }
    });
}

#[test]
fn a_cut_file_is_corrupt() {
    let (clock, bytes, told) = closed_file();
    for sixteenth in 1..16 {
        let disk = SimDisk::with_bytes(bytes.clone());
        disk.truncate(bytes.len() * sixteenth / 16);
        assert_right_or_corrupt(&clock, disk, &told, &format!("cut to {sixteenth}/16"));
    }
}

#[test]
fn verify_names_what_a_reader_would_stumble_over() {
    let (clock, bytes, told) = closed_file();
    let mut found = 0;
    for offset in (12_288..bytes.len()).step_by(4_096) {
        let disk = Arc::new(SimDisk::with_bytes(bytes.clone()));
        disk.corrupt(offset + 8, 0xff);
        let Ok(store) = Store::open_file(disk, options(&clock)) else {
            found += 1;
            continue;
        };
        let wrong = answers(&store).zip(&told).any(|(found, told)| found.as_ref() != Ok(told));
        let store_says = store.verify(&mut |_| {});
        let clean = store_says.is_ok_and(|report| report.problems.is_empty());
        assert!(!(wrong && clean), "a reader fails at {offset}, verify does not");
        found += usize::from(wrong);
    }
    assert!(found > 2, "some pages matter");
}

#[test]
fn random_histories_survive_their_own_verification_after_every_crash() {
    let name = "random_histories_survive_their_own_verification_after_every_crash";
    for_each_seed(name, |seed| {
        let mut run = Run::new(Dice::seed(seed), WithRetention::Yes);
        for step in 0..60 {
            run.step();
            if step % 15 == 14 {
                run = run.crash(seed * 64 + step);
                run.verify();
            }
        }
    });
}
