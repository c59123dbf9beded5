//! Following the feed: every message once and in order, across broken connections.

use core::ops::ControlFlow;
use core::time::Duration;
use std::io::{BufRead, BufReader, Read};

use asof_api::body::{FeedEvent, FeedMessage};
use asof_api::{Cursor, EpochId, ErrorName, Problem};
use http::Method;

use crate::client::ANSWER_BYTES_MAX;
use crate::path::Target;
use crate::{Client, Error, Request, Result};

/// How often the server is asked to say that it is there, unless told otherwise.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// Heartbeats that may be late before a connection is given up.
pub const HEARTBEATS_LATE_MAX: u32 = 4;

/// The first pause before a new attempt; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Called before each new attempt with what went wrong and how long to pause: sleeps that long,
/// or gives up. The client itself has no clock.
pub type Pause = Box<dyn FnMut(&Error, Duration) -> ControlFlow<()>>;

/// The body of a connection to the feed.
type Stream = BufReader<Box<dyn Read + Send>>;

/// The messages of the feed after a cursor, heartbeats included, for as long as there is a
/// server.
///
/// Where a connection breaks it goes on from the last message it returned, so that none is
/// skipped and none comes twice. It ends with an error where going on cannot help: the cursor
/// lies below the floor, the token is not good, or the server is on another timeline.
pub struct Follow {
    client: Client,
    cursor: Cursor,
    spaces: Vec<String>,
    heartbeat: Duration,
    pause: Pause,
    epoch: Option<EpochId>,
    stream: Option<Stream>,
    attempts: u32,
    ended: bool,
}

impl core::fmt::Debug for Follow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Follow")
            .field("cursor", &self.cursor)
            .field("spaces", &self.spaces)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Follows the feed from `after` on, only of `spaces` unless these are empty.
    ///
    /// The first connection is made at once, so that a wrong address does not look like silence.
    ///
    /// # Errors
    ///
    /// As a read; `BelowFloor` where the cursor lies below what is kept of the log.
    pub fn follow(&self, after: Cursor, spaces: Vec<String>, pause: Pause) -> Result<Follow> {
        self.follow_closely(after, spaces, HEARTBEAT, pause)
    }

    /// As [`follow`](Self::follow), for whom a silence of [`HEARTBEAT`] is too long: the server
    /// says every `heartbeat` that it is there.
    ///
    /// # Errors
    ///
    /// As [`follow`](Self::follow); `Invalid` where the server takes no such interval.
    pub fn follow_closely(
        &self,
        after: Cursor,
        spaces: Vec<String>,
        heartbeat: Duration,
        pause: Pause,
    ) -> Result<Follow> {
        let mut follow = Follow {
            client: self.clone(),
            cursor: after,
            spaces,
            heartbeat,
            pause,
            epoch: None,
            stream: None,
            attempts: 0,
            ended: false,
        };
        follow.stream = Some(follow.connect()?);
        Ok(follow)
    }
}

impl Follow {
    /// Where to go on after the last message that was returned.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    fn connect(&self) -> Result<Stream> {
        let spaces = (!self.spaces.is_empty()).then(|| self.spaces.join(","));
        let target = Target::new("/v1/feed")
            .query("after", &self.cursor)
            .maybe("spaces", spaces)
            .query("heartbeat", self.heartbeat.as_millis());
        let mut request = Request::new(Method::GET, target.into_string());
        request.silence_max = self.heartbeat.saturating_mul(HEARTBEATS_LATE_MAX);
        Ok(BufReader::new(self.client.ok(request)?.body))
    }

    /// The next message of the connection there is, or of a new one.
    fn attempt(&mut self) -> Result<FeedMessage> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let message = read_message(&mut stream);
        self.stream = Some(stream);
        message
    }

    fn accept(&mut self, message: &FeedMessage) -> Result<()> {
        if let Some(epoch) = self.epoch.replace(message.epoch)
            && epoch != message.epoch
        {
            let detail = format!(
                "the store went over from epoch {} to {}: what was read before is of another \
                 timeline",
                epoch.0, message.epoch.0
            );
            let mut problem = Problem::new(ErrorName::WrongEpoch, detail);
            problem.epoch = Some(message.epoch);
            return Err(Error::refused(problem));
        }
        self.cursor = message.cursor.clone();
        self.attempts = 0;
        Ok(())
    }

    /// How long to pause before the next attempt.
    fn next_pause(&mut self) -> Duration {
        let pause = PAUSE_MIN.saturating_mul(1 << self.attempts.min(16));
        self.attempts = self.attempts.saturating_add(1);
        pause.min(PAUSE_MAX)
    }
}

impl Iterator for Follow {
    type Item = Result<FeedMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let error = match self.attempt().and_then(|message| {
                self.accept(&message)?;
                Ok(message)
            }) {
                Ok(message) => {
                    if matches!(message.event, FeedEvent::End { .. }) {
                        self.stream = None;
                    }
                    return Some(Ok(message));
                }
                Err(error) => error,
            };
            self.stream = None;
            if !error.is_passing() {
                self.ended = true;
                return Some(Err(error));
            }
            let pause = self.next_pause();
            if (self.pause)(&error, pause).is_break() {
                self.ended = true;
                return Some(Err(error));
            }
        }
        None
    }
}

/// A line, parsed. One without its end was cut off, however complete it looks.
fn read_message(stream: &mut impl BufRead) -> Result<FeedMessage> {
    let mut line = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .map_err(|error| Error::broken(&error))?;
    if line.last() != Some(&b'\n') {
        if line.len() as u64 == ANSWER_BYTES_MAX {
            return Err(Error::answer("a message of the feed has no end"));
        }
        let end = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        return Err(Error::broken(&end));
    }
    serde_json::from_slice(&line).map_err(Error::answer)
}
