//! What the store does when nobody asks must not stop what is asked.

use core::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use asof_env::testing::ManualClock;
use asof_store::engine::{
    Batch, Direction, Durability, Engine, EngineError, KeyRange, MemoryEngine, Snapshot,
};
use asof_store::{AsOf, DryRun, ErrorKind, Health, Retention, Store};

use crate::run::SECOND;
use crate::steps::options;
use crate::world::{START, actor, at, key, now, put, space};

/// An engine whose scans fail while `broken`; gets and commits go on.
#[derive(Clone, Debug)]
struct Fragile {
    engine: Arc<dyn Engine>,
    broken: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FragileSnapshot {
    rows: Arc<dyn Snapshot>,
    broken: Arc<AtomicBool>,
}

impl Engine for Fragile {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError> {
        let rows = self.engine.snapshot()?;
        Ok(Arc::new(FragileSnapshot { rows, broken: self.broken.clone() }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), EngineError> {
        self.engine.commit(batch, durability)
    }

    fn disk_bytes(&self) -> Result<u64, EngineError> {
        self.engine.disk_bytes()
    }
}

impl Snapshot for FragileSnapshot {
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, EngineError> {
        self.rows.get(key, read)
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(EngineError::Corrupt("a page nobody reads but retention".to_owned()));
        }
        self.rows.scan(range, direction, visit)
    }
}

/// Retention met a damaged row once: the store must say so, go on with all else, and take the
/// alarm back after a pass that went through.
#[test]
fn history_that_cannot_be_dropped_is_an_alarm_and_nothing_worse() {
    let clock = Arc::new(ManualClock::new(at(START)));
    let broken = Arc::new(AtomicBool::new(false));
    let fragile = Fragile { engine: Arc::new(MemoryEngine::new()), broken: broken.clone() };
    let open = move || Ok(Box::new(fragile.clone()) as Box<dyn Engine>);
    let store = Store::open_engine(Box::new(open), options(&clock)).unwrap();
    let pass = |span: Duration| {
        clock.advance(span);
        store.tick().unwrap();
    };
    pass(SECOND);
    for text in ["1", "2"] {
        store.commit(now(vec![put("s", "k", text)])).unwrap();
        pass(SECOND);
    }
    let first = store.time().closed;
    let keep = Retention::KeepFor(SECOND);
    store.set_retention(&space("s"), keep, actor("space"), DryRun::No).unwrap();

    broken.store(true, Ordering::Relaxed);
    for _ in 0..4 {
        pass(4 * SECOND);
    }
    let health = store.health();
    let alarmed = matches!(&health, Health::Alarmed(why) if why.contains("cannot be dropped"));
    assert!(alarmed, "{health:?}");
    let before = store.time().closed;
    store.commit(now(vec![put("s", "other", "3")])).unwrap();
    pass(SECOND);
    assert!(store.time().closed > before, "closed goes on");

    broken.store(false, Ordering::Relaxed);
    pass(4 * SECOND);
    for _ in 0..16 {
        store.tick().unwrap();
    }
    assert_eq!(store.health(), Health::Writable);
    let error = store.view(AsOf::At(first)).unwrap().get(&space("s"), &key("k")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BelowFloor { .. }), "{error:?}");
    let latest = store.view(AsOf::Latest).unwrap().get(&space("s"), &key("k")).unwrap();
    assert_eq!(latest.value.unwrap().bytes.as_ref(), b"2");
}
