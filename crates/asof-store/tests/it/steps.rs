//! A store on a simulated disk, whose idle ticks come by hand, so that a run repeats exactly.

use std::sync::Arc;
use std::time::Duration;

use asof_env::Clock as _;
use asof_env::testing::{ManualClock, SeededRandom, SimDisk};
use asof_store::{Options, Result, Store};
use asof_time::Timestamp;

/// A store, its disk and its clock.
#[derive(Debug)]
pub(crate) struct Stepped {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) disk: Arc<SimDisk>,
    pub(crate) store: Store,
}

/// Settings under which nothing happens unasked.
pub(crate) fn options(clock: &Arc<ManualClock>) -> Options {
    let boot = asof_env::Clock::boot(clock.as_ref());
    Options {
        clock: clock.clone(),
        // A new timeline for each store made, the same ones in each run.
        random: Arc::new(SeededRandom::new(
            u64::try_from(boot.since(asof_env::BootTime::new(Duration::ZERO)).as_micros())
                .unwrap_or_default()
                + 7,
        )),
        idle_tick: Duration::from_hours(1_000_000),
        retention_interval: Duration::from_secs(3),
        cache_bytes: 1 << 20,
        ..Options::default()
    }
}

impl Stepped {
    pub(crate) fn new(start: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::new(start));
        Self::open(&clock, Arc::new(SimDisk::new())).expect("a new store")
    }

    pub(crate) fn open(clock: &Arc<ManualClock>, disk: Arc<SimDisk>) -> Result<Self> {
        Self::open_with(clock, disk, options(clock))
    }

    pub(crate) fn open_with(
        clock: &Arc<ManualClock>,
        disk: Arc<SimDisk>,
        options: Options,
    ) -> Result<Self> {
        let store = Store::open_file(disk.clone(), options)?;
        // Past the tick that the writer's thread begins with.
        store.tick()?;
        Ok(Self { clock: clock.clone(), disk, store })
    }

    pub(crate) fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    pub(crate) fn closed(&self) -> Timestamp {
        self.store.time().closed
    }

    /// Time passes, and the store sees it.
    pub(crate) fn pass(&self, span: Duration) -> Timestamp {
        self.clock.advance(span);
        self.store.tick().expect("the store is open");
        self.closed()
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(self) -> Self {
        let Self { clock, disk, store } = self;
        drop(store);
        Self::open(&clock, disk).expect("a store that was closed opens")
    }

    /// The power fails; what the disk kept is opened.
    pub(crate) fn crash(self, seed: u64) -> Self {
        let image = Arc::new(self.disk.after_crash(seed));
        let clock = self.clock.clone();
        self.disk.lose_power_at(self.disk.operations());
        drop(self);
        Self::open(&clock, image).expect("a store that lost power opens")
    }
}
