//! A file of commits, one a line.
//!
//! The text of a line travels as it is: a value keeps every space and digit it was written with.

mod input;
mod line;
mod lines;

use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use asof_time::Timestamp;

use super::batch::{Batch, LINE_BYTES_MAX};
use super::refusal::invalid;
use crate::failure::Failure;
use line::Head;
use lines::Lines;

pub(crate) use input::Input;

/// Bytes of all open batches together after which all of them are sent.
const OPEN_BYTES_MAX: usize = 8 << 20;

/// Reads the commits of a file, batch by batch. Ends after the first error, the lines before which
/// all come first. Positions are bytes of the file.
#[derive(Debug)]
pub(crate) struct JsonlBatches<R> {
    lines: Lines<R>,
    read: Arc<AtomicU64>,
    into: Option<String>,
    now: Timestamp,
    /// Of each space, the batch being filled.
    open: BTreeMap<String, Batch>,
    /// Of each space, the time of its last line.
    last_at: BTreeMap<String, Timestamp>,
    ready: VecDeque<Batch>,
    failure: Option<Failure>,
    ended: bool,
}

impl<R: BufRead> JsonlBatches<R> {
    /// The commits of `input`, for the space `into` or each for the one that its line names. `now`
    /// is the time at the store.
    pub(crate) fn new(input: Input<R>, into: Option<String>, now: Timestamp) -> Self {
        let Input { reader, read } = input;
        Self {
            lines: Lines::new(reader, LINE_BYTES_MAX),
            read,
            into,
            now,
            open: BTreeMap::new(),
            last_at: BTreeMap::new(),
            ready: VecDeque::new(),
            failure: None,
            ended: false,
        }
    }

    /// Reads one line; whether there was one.
    fn step(&mut self) -> Result<bool, Failure> {
        let Some((number, text)) = self.lines.next()? else {
            return Ok(false);
        };
        let wrong = |why: String| invalid(format!("line {number}: {why}"));
        let head = Head::parse(text).map_err(|error| wrong(error.to_string()))?;
        let space = match (&self.into, head.space()) {
            (Some(into), _) => into,
            (None, Some(named)) => &named.map_err(|error| wrong(error.to_string()))?,
            (None, None) => {
                return Err(wrong(
                    "it names no space: pass --space, or give it a member `space`".to_owned(),
                ));
            }
        };
        if head.source.is_none() {
            check_unnamed(head.at, self.last_at.get(space).copied(), self.now).map_err(wrong)?;
        }
        match self.last_at.get_mut(space) {
            Some(last) => *last = head.at,
            None => drop(self.last_at.insert(space.clone(), head.at)),
        }
        if !self.open.contains_key(space) {
            self.open.insert(space.clone(), Batch::new(space.clone()));
        }
        let Some(batch) = self.open.get_mut(space) else {
            unreachable!("it was opened just now");
        };
        if !batch.has_room(text.len()) {
            let full = core::mem::replace(batch, Batch::new(space.clone()));
            self.ready.push_back(full);
        }
        let line = head.write_to(&mut batch.body, text, space, number);
        batch.lines.push(line);
        batch.position = self.read.load(Ordering::Relaxed);
        if batch.is_full() {
            let full = core::mem::replace(batch, Batch::new(space.clone()));
            self.ready.push_back(full);
        } else if self.open.len() > 1
            && self.open.values().map(|batch| batch.body.len()).sum::<usize>() > OPEN_BYTES_MAX
        {
            self.close_all();
        }
        Ok(true)
    }

    fn close_all(&mut self) {
        let open = core::mem::take(&mut self.open).into_values();
        self.ready.extend(open.filter(|batch| !batch.lines.is_empty()));
    }
}

impl<R: BufRead> Iterator for JsonlBatches<R> {
    type Item = Result<Batch, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Some(Ok(batch));
            }
            if self.ended {
                return self.failure.take().map(Err);
            }
            let step = self.step();
            self.lines.release();
            match step {
                Ok(true) => continue,
                Ok(false) => {}
                Err(failure) => self.failure = Some(failure),
            }
            self.ended = true;
            self.close_all();
        }
    }
}

/// A line without an id is known by its time alone when the file is read again, so the time must
/// be one that the store will keep.
fn check_unnamed(at: Timestamp, last: Option<Timestamp>, now: Timestamp) -> Result<(), String> {
    if let Some(last) = last.filter(|last| at <= *last) {
        return Err(format!("its time {at} is not above that of the line before it, {last}"));
    }
    if at > now {
        return Err(format!(
            "its time {at} lies ahead, and it has no source id by which to know it again"
        ));
    }
    Ok(())
}
