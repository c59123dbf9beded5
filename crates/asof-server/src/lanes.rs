//! The threads that speak with clients: one a core, each with connections of its own.
//!
//! A connection stays on its lane from its first byte to its last, so that an answer is made and
//! written where its request was read: no other thread is woken for it, and none waits for a lock
//! of the sockets. What takes long must not run on a lane, since its neighbours would wait: that
//! is what the blocking pool is for.

use core::num::NonZero;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use crate::connection::Speaker;
use crate::limits::LANES_MAX;

/// The lanes of a server.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// Turns true when what is still open is cut off.
    cut: watch::Sender<bool>,
}

#[derive(Debug)]
struct Lane {
    arrivals: mpsc::Sender<Arrival>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// A connection on its way to its lane.
#[derive(Debug)]
struct Arrival {
    stream: TcpStream,
    seat: Seat,
}

/// What a connection occupies until it ends, however that comes.
#[derive(Debug)]
struct Seat {
    open: Arc<AtomicUsize>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// Starts the threads. There are never more than `connections` of these at once.
    pub(crate) fn start(speaker: &Speaker, connections: usize) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let (cut, cut_off) = watch::channel(false);
        let lanes = (0..cores.min(LANES_MAX))
            .map(|_| Lane::start(speaker.clone(), connections, cut_off.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Self { lanes, cut })
    }

    /// Hands a connection to the lane with the fewest.
    pub(crate) async fn give(&self, stream: TcpStream, place: OwnedSemaphorePermit) {
        let Some(lane) = self.lanes.iter().min_by_key(|lane| lane.open.load(Ordering::Relaxed))
        else {
            return;
        };
        lane.open.fetch_add(1, Ordering::Relaxed);
        let seat = Seat { open: Arc::clone(&lane.open), _place: place };
        if lane.arrivals.send(Arrival { stream, seat }).await.is_err() {
            tracing::error!("a thread that speaks with clients has ended");
        }
    }

    /// How many connections there are.
    pub(crate) fn open(&self) -> usize {
        self.lanes.iter().map(|lane| lane.open.load(Ordering::Relaxed)).sum()
    }

    /// Cuts off what is still open and waits for the threads. Blocks.
    pub(crate) fn stop(self) {
        self.cut.send_replace(true);
        for lane in self.lanes {
            drop(lane.arrivals);
            if lane.thread.join().is_err() {
                tracing::error!("a thread that speaks with clients panicked");
            }
        }
    }
}

impl Lane {
    fn start(
        speaker: Speaker,
        connections: usize,
        cut_off: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (arrivals, arriving) = mpsc::channel(connections);
        let thread = std::thread::Builder::new()
            .name("asof-lane".to_owned())
            .spawn(move || run(runtime, &speaker, arriving, cut_off))?;
        Ok(Self { arrivals, open: Arc::default(), thread })
    }
}

fn run(
    runtime: Runtime,
    speaker: &Speaker,
    mut arriving: mpsc::Receiver<Arrival>,
    mut cut_off: watch::Receiver<bool>,
) {
    // Each connection looks at this whenever it is looked at itself, so that a lane has its own:
    // one for all would be passed between the cores on every request.
    let (told, stopping) = watch::channel(false);
    runtime.block_on(async {
        let take = async {
            while let Some(Arrival { stream, seat }) = arriving.recv().await {
                let (speaker, stopping) = (speaker.clone(), stopping.clone());
                tokio::spawn(async move {
                    speaker.serve(stream, stopping).await;
                    drop(seat);
                });
            }
        };
        let mut service = speaker.app.stopping.clone();
        let pass_on = async {
            // The sender gone comes to the same.
            let _ = service.wait_for(|stopping| *stopping).await;
            told.send_replace(true);
            core::future::pending::<()>().await;
        };
        tokio::select! {
            () = take => {}
            () = pass_on => {}
            // As above.
            _ = cut_off.wait_for(|cut| *cut) => {}
        }
    });
    // What still runs on threads of its own is not waited for: a walk that nobody will read.
    runtime.shutdown_background();
}
