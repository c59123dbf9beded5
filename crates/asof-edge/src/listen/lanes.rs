//! The threads that speak with clients and services: one a core, each with connections of its own.
//!
//! A connection stays on its lane from its first byte to its last, so that an answer out of the
//! cache is made and written where its request was read, and no other thread is woken for it.

use core::num::NonZero;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;

use crate::limits::LANES_MAX;

/// The lanes of an edge. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    _end: watch::Sender<()>,
}

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    open: Arc<AtomicUsize>,
}

/// A connection's place on a lane.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) runtime: Handle,
    open: Arc<AtomicUsize>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// Starts the threads; on a runtime of one thread, that one is the only lane, so that whoever
    /// embeds an edge in one thread, or holds its clock still, has all of it there.
    pub(crate) fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let (end, ended) = watch::channel(());
        let here = Handle::current();
        if here.runtime_flavor() == RuntimeFlavor::CurrentThread {
            let lane = Lane { runtime: here, open: Arc::default() };
            return Ok(Self { lanes: vec![lane], _end: end });
        }
        let lanes = (0..cores.min(LANES_MAX)).map(|_| Lane::start(ended.clone()));
        Ok(Self { lanes: lanes.collect::<io::Result<_>>()?, _end: end })
    }

    /// A place on the lane with the fewest connections.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let lane = self.lanes.iter().min_by_key(|lane| lane.open.load(Ordering::Relaxed))?;
        lane.open.fetch_add(1, Ordering::Relaxed);
        Some(Seat { runtime: lane.runtime.clone(), open: Arc::clone(&lane.open) })
    }
}

impl Lane {
    fn start(mut ended: watch::Receiver<()>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new().name("asof-lane".to_owned()).spawn(move || {
            // Until the sender is gone: nothing is ever sent.
            runtime.block_on(async { while ended.changed().await.is_ok() {} });
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, open: Arc::default() })
    }
}
