//! Reading in one thread while sending in another.

use core::time::Duration;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};

use super::batch::Batch;
use super::meter::Meter;
use super::sink::Sink;
use super::stop::Stop;
use crate::failure::Failure;
use crate::output::Output;

/// Batches between the two threads. With the one being made, the one being sent and a line that
/// waits for the next, memory holds a few requests at most.
const BATCHES_BETWEEN: usize = 1;

/// How often it is looked whether to stop while a source is silent.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Sends all `batches` into `sink`.
///
/// # Errors
///
/// The first of the source, of the store, or that it was told to stop. What was sent before
/// stays.
pub(crate) fn run(
    batches: impl Iterator<Item = Result<Batch, Failure>> + Send + 'static,
    sink: &mut Sink<'_>,
    meter: &mut Meter,
    stop: &Stop,
    out: &mut Output,
) -> Result<(), Failure> {
    let (sender, receiver) = sync_channel(BATCHES_BETWEEN);
    // It is not waited for: where sending has failed, it may be waiting for a source that never
    // says anything again. It ends with the first batch that nobody takes.
    std::thread::spawn(move || {
        for batch in batches {
            if sender.send(batch).is_err() {
                break;
            }
        }
    });
    let sent = send_all(&receiver, sink, meter, stop, out);
    meter.end();
    sent
}

fn send_all(
    receiver: &Receiver<Result<Batch, Failure>>,
    sink: &mut Sink<'_>,
    meter: &mut Meter,
    stop: &Stop,
    out: &mut Output,
) -> Result<(), Failure> {
    loop {
        if stop.is_asked() {
            return Err(Failure::unavailable(
                "interrupted; run the same command again, and it goes on from here",
            ));
        }
        match receiver.recv_timeout(LOOK_INTERVAL) {
            Ok(batch) => {
                let batch = batch?;
                let position = batch.position;
                sink.take(batch)?;
                meter.reach(position, sink.commits(), out);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}
