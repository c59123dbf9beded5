use core::time::Duration;
use std::sync::Arc;

use asof_env::testing::{ManualClock, SeededRandom};
use asof_time::Timestamp;

use super::{Bounds, Extent};
use crate::{Blast, CommitRequest, Key, Op, Options, Precondition, SpaceName, Store, Value, Write};

/// A store in which keys were written again and again, in two spaces.
fn store() -> Store {
    let start = Timestamp::from_micros(1_000_000).unwrap();
    let options = Options {
        clock: Arc::new(ManualClock::new(start)),
        random: Arc::new(SeededRandom::new(1)),
        idle_tick: Duration::from_hours(1_000_000),
        ..Options::default()
    };
    let store = Store::in_memory(options).unwrap();
    for n in 0_u64..60 {
        let writes = ["s", "t"].map(|space| Write {
            space: SpaceName::new(space).unwrap(),
            key: Key::new(&(n * n % 17).to_string()).unwrap(),
            op: if n % 7 == 3 { Op::Delete } else { Op::Put(Value::binary((n % 5).to_string())) },
            precondition: Precondition::None,
        });
        let request = CommitRequest { writes: writes.into(), ..CommitRequest::default() };
        store.commit(request).unwrap();
    }
    store
}

fn numbers(blast: Blast) -> (u64, u64, u64, Vec<crate::SpaceBlast>) {
    (blast.keys, blast.bytes_before, blast.bytes_after, blast.spaces)
}

#[test]
fn the_count_is_exact_whatever_memory_there_is() {
    let store = store();
    let closed = store.time().closed;
    let start = Timestamp::MIN;
    let mut moments = vec![start, closed];
    moments.extend((1..40).map(|back| closed.saturating_sub(Duration::from_micros(back))));
    for from in &moments {
        let whole = |bounds| store.blast_within(*from, closed, bounds).unwrap();
        let wanted = numbers(whole(Bounds::DEFAULT));
        for remembered in 0..9 {
            let found = whole(Bounds { remembered, ..Bounds::DEFAULT });
            assert_eq!((found.extent, numbers(found)), (Extent::Whole, wanted.clone()));
        }
    }
}

#[test]
fn what_is_left_uncounted_is_said() {
    let store = store();
    let closed = store.time().closed;
    let whole = store.blast_within(Timestamp::MIN, closed, Bounds::DEFAULT).unwrap();
    let mut last = 0;
    for writes in 0..130 {
        let bounds = Bounds { writes, ..Bounds::DEFAULT };
        let found = store.blast_within(Timestamp::MIN, closed, bounds).unwrap();
        assert!(found.keys >= last && found.keys <= whole.keys);
        last = found.keys;
        assert_eq!(found.extent == Extent::Whole, writes >= 120, "{writes}");
    }
    assert_eq!(last, whole.keys);
}
