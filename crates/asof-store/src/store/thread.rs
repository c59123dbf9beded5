//! The thread around the writer, and the queue in front of it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use asof_time::limits::{GROUP_BYTES_MAX, GROUP_COMMITS_MAX, WRITE_QUEUE_MAX};

use crate::publish::Published;
use crate::stage::Stage;
use crate::writer::{Done, Job, Writer};
use crate::{Actor, Error, Health, Options, Result};

/// What the writer thread is asked to do.
pub(super) enum Message {
    Run(Job),
    AcceptClock(Actor, SyncSender<Result<()>>),
    DiskBytes(SyncSender<Result<u64>>),
    Tick(SyncSender<Result<()>>),
    Close,
}

/// The running writer.
#[derive(Debug)]
pub(super) struct WriterThread {
    queue: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl WriterThread {
    pub(super) fn start(
        mut writer: Writer,
        published: Arc<Published>,
        options: Options,
    ) -> Result<Self> {
        let (queue, requests) = sync_channel(WRITE_QUEUE_MAX);
        let on_end = Closing(published);
        let run = move || {
            let _on_end = on_end;
            serve(&mut writer, &requests, &options);
        };
        let thread = std::thread::Builder::new()
            .name("asof-writer".to_owned())
            .spawn(run)
            .map_err(|error| Error::unavailable(format!("no thread for the writer: {error}")))?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)) })
    }

    /// Runs a request and waits for its answer.
    pub(super) fn run<T: Send + 'static>(
        &self,
        weight: usize,
        request: impl FnOnce(&mut Stage<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = sync_channel(1);
        let done = Box::new(move |outcome| {
            // Nobody waiting for it any more is no reason to stop.
            let _ = answer.send(outcome);
        });
        self.enqueue(job(weight, request, done));
        answered.recv().map_err(|_| {
            Error::unavailable(
                "the store closed while the write was under way: it is unknown whether it took \
                 effect",
            )
        })?
    }

    /// Asks something that needs no stage.
    pub(super) fn ask<T>(
        &self,
        message: impl FnOnce(SyncSender<Result<T>>) -> Message,
    ) -> Result<T> {
        let (answer, answered) = sync_channel(1);
        self.queue.send(message(answer)).map_err(|_| writer_gone())?;
        answered.recv().map_err(|_| writer_gone())?
    }

    /// Queues a request; where that is full or closed, the request is told so at once.
    pub(super) fn enqueue(&self, job: Job) {
        match self.queue.try_send(Message::Run(job)) {
            Err(TrySendError::Full(Message::Run(job))) => {
                (job.act)(Err(Error::unavailable(format!(
                    "{WRITE_QUEUE_MAX} writes are waiting already (the write did not take effect)"
                ))));
            }
            Err(TrySendError::Disconnected(Message::Run(job))) => {
                (job.act)(Err(writer_gone()));
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Stops the writer after what it was asked before, and waits for it.
    pub(super) fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Fails only where the thread is gone already.
            let _ = self.queue.send(Message::Close);
            if thread.join().is_err() {
                tracing::error!("the writer thread panicked");
            }
        }
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.close();
    }
}

fn writer_gone() -> Error {
    Error::unavailable("the store is closed (the write did not take effect)")
}

/// A request with its answer: whoever asks gets exactly one, whatever happens.
pub(super) fn job<T: Send + 'static>(
    weight: usize,
    request: impl FnOnce(&mut Stage<'_>) -> Result<T> + Send + 'static,
    done: Box<dyn FnOnce(Result<T>) + Send>,
) -> Job {
    let act = move |stage: Result<&mut Stage<'_>>| match stage {
        Err(error) => {
            done(Err(error));
            None
        }
        Ok(stage) => {
            let outcome = stage.run(request);
            // A refusal may rest on what is staged but not durable, so it waits like the rest.
            let told: Done = Box::new(move |fate| done(fate.and(outcome)));
            Some(told)
        }
    };
    Job { weight, act: Box::new(act) }
}

/// Says that the store is closed when the writer thread ends, by a panic too.
struct Closing(Arc<Published>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.set_health(Health::ReadOnly("the store is closed".to_owned()));
    }
}

/// The life of the writer thread.
fn serve(writer: &mut Writer, requests: &Receiver<Message>, options: &Options) {
    let clock = options.clock.as_ref();
    let mut next_tick = clock.boot();
    loop {
        let now = clock.boot();
        if now >= next_tick {
            writer.tick();
            next_tick = clock.boot().after(options.idle_tick);
        }
        let wait = next_tick.since(clock.boot());
        match requests.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(first) => {
                if !take_group(writer, requests, first) {
                    break;
                }
            }
        }
    }
    writer.close();
}

/// Collects what is waiting into one group and runs it; returns whether to go on.
fn take_group(writer: &mut Writer, requests: &Receiver<Message>, first: Message) -> bool {
    let mut group = Vec::new();
    let mut bytes = 0;
    let mut next = Some(first);
    let mut go_on = true;
    while let Some(message) = next.take() {
        match message {
            Message::Run(job) => {
                bytes += job.weight;
                group.push(job);
                if group.len() < GROUP_COMMITS_MAX && bytes < GROUP_BYTES_MAX {
                    next = requests.try_recv().ok();
                }
            }
            Message::AcceptClock(by, answer) => {
                let _ = answer.send(writer.accept_clock(by));
            }
            Message::DiskBytes(answer) => {
                let _ = answer.send(writer.disk_bytes());
            }
            Message::Tick(answer) => {
                writer.tick();
                let _ = answer.send(Ok(()));
            }
            Message::Close => go_on = false,
        }
    }
    if !group.is_empty() {
        writer.run_group(group);
    }
    go_on
}
