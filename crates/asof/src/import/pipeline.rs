//! Reading in one thread while sending in another.

use core::time::Duration;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

use super::batch::Batch;
use super::meter::Meter;
use super::sink::{Sink, Taken};
use super::stop::Stop;
use crate::failure::Failure;
use crate::output::Output;

/// Bytes of a batch above which nothing more is read until it is sent: a few of the longest lines
/// at once would be more memory than an import may take.
const LARGE_BYTES: usize = 8 << 20;

/// How often it is looked whether to stop while a source is silent.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Sends all `batches` into `sink`.
///
/// # Errors
///
/// The first of the source, of the store, or that it was told to stop. What was sent before
/// stays; into a live space nothing is sent before the source has ended.
pub(crate) fn run(
    batches: impl Iterator<Item = Result<Batch, Failure>> + Send + 'static,
    sink: &mut Sink<'_>,
    meter: &mut Meter,
    stop: &Stop,
    out: &mut Output,
) -> Result<(), Failure> {
    // One batch is made while another is sent; none waits in between.
    let (sender, receiver) = sync_channel(0);
    let (large_sent, large_done) = sync_channel(1);
    // It is not waited for: where sending has failed, it may be waiting for a source that never
    // says anything again. It ends with the first batch that nobody takes.
    std::thread::spawn(move || {
        for batch in batches {
            let large = batch.as_ref().is_ok_and(is_large);
            if sender.send(batch).is_err() || (large && large_done.recv().is_err()) {
                break;
            }
        }
    });
    let sent = send_all(&receiver, &large_sent, sink, meter, stop, out);
    meter.end();
    sent
}

fn send_all(
    receiver: &Receiver<Result<Batch, Failure>>,
    large_sent: &SyncSender<()>,
    sink: &mut Sink<'_>,
    meter: &mut Meter,
    stop: &Stop,
    out: &mut Output,
) -> Result<(), Failure> {
    loop {
        check(stop)?;
        match receiver.recv_timeout(LOOK_INTERVAL) {
            Ok(batch) => {
                let batch = batch?;
                let (position, large) = (batch.position, is_large(&batch));
                let taken = sink.take(batch)?;
                if large {
                    // Nobody waits any more where the source has ended.
                    let _ = large_sent.send(());
                }
                if taken == Taken::Done {
                    meter.reach(position, sink.commits(), out);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return sink.settle(|position, commits| {
                    meter.reach(position, commits, out);
                    check(stop)
                });
            }
        }
    }
}

fn check(stop: &Stop) -> Result<(), Failure> {
    if stop.is_asked() {
        return Err(Failure::unavailable(
            "interrupted; run the same command again, and it goes on from here",
        ));
    }
    Ok(())
}

fn is_large(batch: &Batch) -> bool {
    batch.body.len() > LARGE_BYTES
}
