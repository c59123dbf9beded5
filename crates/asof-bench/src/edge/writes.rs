//! Commits that go on while something else is measured.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use asof_env::{Clock as _, SystemClock};

use crate::measure::Result;
use crate::page::Line;

/// Commits a second.
pub(crate) const RATE: u32 = 20;

/// Most of them, if nobody ends it.
const WRITES_MAX: u32 = 100_000;

/// A writer, until it is ended.
pub(crate) struct Writes {
    end: Arc<AtomicBool>,
    thread: JoinHandle<core::result::Result<(), String>>,
}

impl Writes {
    /// Begins to write one key of the store again and again.
    pub(crate) fn begin(store: SocketAddr) -> Result<Self> {
        let end = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&end);
        let thread = std::thread::Builder::new().name("writes".to_owned()).spawn(move || {
            let mut line = Line::open(store).map_err(|error| error.to_string())?;
            for number in 0..WRITES_MAX {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let value = number.to_string();
                let put = format!(
                    "PUT /v1/spaces/moving/keys/k HTTP/1.1\r\nhost: localhost\r\n\
                     content-type: text/plain\r\ncontent-length: {}\r\n\r\n{value}",
                    value.len()
                );
                let (status, _) = line.ask(&put).map_err(|error| error.to_string())?;
                if !status.starts_with("http/1.1 20") {
                    return Err(format!("a write was refused: {status}"));
                }
                SystemClock.sleep(Duration::from_secs(1) / RATE);
            }
            Ok(())
        })?;
        Ok(Self { end, thread })
    }

    /// Ends it.
    pub(crate) fn end(self) -> Result<()> {
        self.end.store(true, Ordering::Relaxed);
        Ok(self.thread.join().map_err(|_| "the writer gave up")??)
    }
}
