//! What may be called closed, and when.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use asof_store::{AsOf, CommitRequest, ErrorKind, Health, Precondition, Write};
use asof_time::Timestamp;

use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, World, actor, at, key, later, now, put, space};

fn text(world: &Stepped, as_of: AsOf) -> Option<String> {
    let read = world.store.view(as_of).unwrap().get(&space("s"), &key("k")).unwrap();
    read.value.map(|version| String::from_utf8(version.bytes.to_vec()).unwrap())
}

#[test]
fn closed_never_passes_a_commit_whose_durability_is_unknown() {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    let closed = world.closed();
    world.disk.fail_sync_at(world.disk.syncs());
    world.clock.advance(Duration::from_millis(1));
    assert_kind(world.store.commit(now(vec![put("s", "k", "2")])), "Unavailable");
    assert!(matches!(world.store.health(), Health::ReadOnly(_)));
    // Time goes on, closed does not: the commit may turn out to be there or not.
    assert_eq!(world.pass(Duration::from_millis(900)), closed);
    assert_kind(world.store.commit(now(vec![put("s", "k", "3")])), "Unavailable");
    let reopened = world.pass(SECOND);
    assert_eq!(world.store.health(), Health::Writable);
    assert!(reopened > closed);
    let found = text(&world, AsOf::Latest).unwrap();
    assert!(["1", "2"].contains(&found.as_str()));
    world.store.commit(now(vec![put("s", "k", "4")])).unwrap();
    assert_eq!(text(&world, AsOf::At(reopened)).unwrap(), found);
}

#[test]
fn publishing_raises_last() {
    let world = Stepped::new(at(START));
    world.store.create_space(&space("s"), actor("")).unwrap();
    let closed = world.pass(SECOND);
    world.clock.set_wall(at(START));
    let late = world.store.commit(later(closed, vec![put("s", "k", "1")])).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::InThePast { last: closed });
    let receipt = world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    assert_eq!(Some(receipt.effective), closed.next());
}

#[test]
fn a_now_commit_is_closed_when_it_is_acknowledged() {
    let world = Stepped::new(at(START));
    for n in 0..5 {
        let receipt = world.store.commit(now(vec![put("s", "k", &n.to_string())])).unwrap();
        assert!(world.closed() >= receipt.effective);
        assert_eq!(text(&world, AsOf::At(receipt.effective)).unwrap(), n.to_string());
    }
}

#[test]
fn a_ceiling_is_durable_before_closed_is_published() {
    let world = Stepped::new(at(START));
    for n in 0..60 {
        // Whatever part of the last writes is lost, a successor knows what was told.
        let closed = world.pass(Duration::from_millis(73));
        let image = std::sync::Arc::new(world.disk.after_crash(n));
        let successor = Stepped::open(&world.clock, image).unwrap();
        assert!(successor.closed() >= closed, "{n}");
    }
}

#[test]
fn an_idle_store_syncs_twice_a_second_at_most() {
    let world = Stepped::new(at(START));
    let before = world.disk.syncs();
    for _ in 0..1_000 {
        world.pass(Duration::from_millis(10));
    }
    assert!(world.disk.syncs() - before <= 20 + 4, "ten seconds of ticks");
}

#[test]
fn a_restarted_sequencer_starts_above_the_ceiling() {
    let world = Stepped::new(at(START));
    world.store.create_space(&space("s"), actor("")).unwrap();
    let told = world.pass(Duration::from_millis(300));
    let world = world.crash(5);
    let inherited = world.closed();
    assert!(inherited >= told);
    // Nothing new is published before the clock has passed it.
    assert_eq!(world.pass(Duration::from_millis(1)), inherited);
    let early = world.store.commit(later(inherited, vec![put("s", "k", "1")])).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::InThePast { last: inherited });
    // A write waits for the clock, at most as long as a ceiling runs ahead.
    let before = world.wall();
    let receipt = world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    assert!(receipt.effective > inherited);
    assert!(world.wall() >= inherited && world.wall().since(before) <= 2 * SECOND);
}

#[test]
fn a_clean_end_leaves_nothing_to_wait_for() {
    let world = Stepped::new(at(START));
    let receipt = world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    let world = world.reopen();
    assert_eq!(world.closed(), receipt.effective);
    assert_eq!(world.store.health(), Health::Writable);
}

#[test]
fn a_refusal_waits_for_the_durability_of_what_it_rests_on() {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "other", "1")])).unwrap();
    // Hold the writer, so that both requests come into one group.
    let (go, wait) = sync_channel::<()>(0);
    let (sender, outcomes) = sync_channel(3);
    let told = sender.clone();
    let hold = move |_| {
        let _ = wait.recv();
        told.send(None).unwrap();
    };
    world.store.submit(now(vec![put("s", "hold", "1")]), Box::new(hold));
    let absent = Write { precondition: Precondition::Absent, ..put("s", "k", "1") };
    for _ in 0..2 {
        let sender = sender.clone();
        let done = move |outcome: asof_store::Result<_>| {
            sender.send(Some(outcome.unwrap_err().kind())).unwrap();
        };
        let request: CommitRequest = now(vec![absent.clone()]);
        world.store.submit(request, Box::new(done));
    }
    world.disk.fail_sync_at(world.disk.syncs());
    go.send(()).unwrap();
    assert_eq!(outcomes.recv().unwrap(), None);
    // The second one lost against the first; but as it is unknown whether that one is there,
    // "it is taken" would be more than anybody knows.
    assert_eq!(outcomes.recv().unwrap(), Some(ErrorKind::Unavailable));
    assert_eq!(outcomes.recv().unwrap(), Some(ErrorKind::Unavailable));
}

#[test]
fn a_reader_captures_closed_first() {
    let world = World::new();
    world.commit(now(vec![put("s", "k", "0")])).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let told = std::thread::scope(|threads| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(|| {
                    let mut told = Vec::new();
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let view = world.store.view(AsOf::Latest).unwrap();
                        let read = view.get(&space("s"), &key("k")).unwrap();
                        let validity = read.validity.unwrap();
                        assert!(validity.contains(view.as_of()) && view.as_of() == view.closed());
                        told.push((view.as_of(), read.value.unwrap().bytes, validity));
                    }
                    told
                })
            })
            .collect();
        for n in 1..400 {
            world.commit(now(vec![put("s", "k", &n.to_string())])).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
    });
    for (as_of, bytes, validity) in told {
        for moment in [validity.from(), as_of, validity.last()] {
            let view = world.store.view(AsOf::At(moment)).unwrap();
            let read = view.get(&space("s"), &key("k")).unwrap();
            assert_eq!(read.value.unwrap().bytes, bytes, "told at {as_of:?}, true at {moment:?}");
        }
    }
}

#[test]
fn a_read_above_closed_is_refused_and_a_preview_of_it_has_no_validity() {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    let closed = world.closed();
    let error = world.store.view(AsOf::At(closed.next().unwrap())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotYetClosed { closed });
    let view = world.store.view(AsOf::Preview(Timestamp::MAX)).unwrap();
    assert_eq!(view.get(&space("s"), &key("k")).unwrap().validity, None);
}

#[test]
fn a_view_of_an_engine_that_failed_answers_rightly_or_not_at_all() {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    let view = world.store.view(AsOf::Latest).unwrap();
    world.disk.fail_sync_at(world.disk.syncs());
    assert_kind(world.store.commit(now(vec![put("s", "k", "2")])), "Unavailable");
    // The file is opened again and written while the old view is still held.
    world.pass(2 * SECOND);
    for n in 3..40 {
        world.store.commit(now(vec![put("s", "k", &n.to_string().repeat(3_000))])).unwrap();
        match view.get(&space("s"), &key("k")) {
            Ok(read) => assert_eq!(&read.value.unwrap().bytes[..], b"1"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
    }
    let told = text(&world, AsOf::Latest);
    // Letting go of it writes nothing into the file that the new engine owns.
    let (written, syncs) = (world.disk.writes(), world.disk.syncs());
    drop(view);
    assert_eq!((world.disk.writes(), world.disk.syncs()), (written, syncs));
    let world = world.reopen();
    assert_eq!(text(&world, AsOf::Latest), told);
    assert_eq!(world.store.verify(&mut |_| {}).unwrap().problems, [""; 0]);
}
