//! A store with a clock that is set by hand.

use std::sync::Arc;
use std::time::Duration;

use asof_env::testing::{ManualClock, SeededRandom};
use asof_store::{
    Actor, AsOf, CommitRequest, Effective, Key, Op, Options, Precondition, Receipt, Result,
    SpaceName, Store, Value, Write,
};
use asof_time::Timestamp;

pub(crate) const START: u64 = 1_700_000_000_000_000;

pub(crate) fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros).expect("in range")
}

pub(crate) fn space(name: &str) -> SpaceName {
    SpaceName::new(name).expect("a space name")
}

pub(crate) fn key(key: &str) -> Key {
    Key::new(key).expect("a key")
}

pub(crate) fn actor(reason: &str) -> Actor {
    Actor { name: "tester".into(), reason: reason.into() }
}

pub(crate) fn put(space_name: &str, name: &str, value: &str) -> Write {
    Write {
        space: space(space_name),
        key: key(name),
        op: Op::Put(Value::binary(value.as_bytes().to_vec())),
        precondition: Precondition::None,
    }
}

pub(crate) fn delete(space_name: &str, name: &str) -> Write {
    Write { op: Op::Delete, ..put(space_name, name, "") }
}

pub(crate) fn now(writes: Vec<Write>) -> CommitRequest {
    CommitRequest { writes, author: "tester".into(), ..CommitRequest::default() }
}

pub(crate) fn later(at: Timestamp, writes: Vec<Write>) -> CommitRequest {
    CommitRequest { effective: Effective::At(at), ..now(writes) }
}

/// A store in memory, and the clock that it lives by.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|options| options)
    }

    pub(crate) fn with(change: impl FnOnce(Options) -> Options) -> Self {
        let clock = Arc::new(ManualClock::new(at(START)));
        let options = Options {
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(7)),
            // By hand: a test says when closed moves.
            idle_tick: Duration::from_millis(1),
            ..Options::default()
        };
        let store = Store::in_memory(change(options)).expect("a store in memory");
        Self { clock, store }
    }

    /// Lets time pass, and waits until the store has seen it.
    pub(crate) fn pass(&self, span: Duration) -> Timestamp {
        self.clock.advance(span);
        let wall = asof_env::Clock::wall(self.clock.as_ref());
        let closed = self.store.wait_closed(wall, Duration::from_secs(10));
        assert!(closed >= wall, "closed follows the clock");
        closed
    }

    pub(crate) fn commit(&self, request: CommitRequest) -> Result<Receipt> {
        self.store.commit(request)
    }

    /// The text of a key at a moment.
    pub(crate) fn text(&self, as_of: AsOf, space_name: &str, name: &str) -> Option<String> {
        let view = self.store.view(as_of).expect("readable");
        let read = view.get(&space(space_name), &key(name)).expect("readable");
        read.value.map(|version| String::from_utf8(version.bytes.to_vec()).expect("text"))
    }
}
