//! Sizes and contents of objects, from a `git cat-file` that is kept running.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use super::error::Error;
use super::oid::ObjectId;
use super::process::{Process, git_in};

/// How many questions may be unanswered.
const WINDOW: usize = 32;

/// The smallest pipe there is, in bytes.
const PIPE_BYTES_MIN: usize = 4_096;

/// Longest question, in bytes: a SHA-256 in hex and a line feed.
const QUESTION_BYTES_MAX: usize = 2 * ObjectId::BYTES_MAX + 1;

// So writing a window of questions never waits for git, which may itself be waiting for its last
// answer to be read.
const _: () = assert!(WINDOW * QUESTION_BYTES_MAX <= PIPE_BYTES_MIN);

/// Whether objects are asked for whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Sizes only.
    Sizes,
    /// Sizes, each followed by the bytes.
    Contents,
}

/// A running `git cat-file`.
#[derive(Debug)]
pub(super) struct Objects {
    process: Process,
    detail: Detail,
}

impl Objects {
    /// Starts one.
    pub(super) fn start(git_dir: &Path, detail: Detail) -> Result<Self, Error> {
        let mut command = git_in(git_dir);
        command.args([
            "cat-file",
            match detail {
                Detail::Sizes => "--batch-check",
                Detail::Contents => "--batch",
            },
        ]);
        let process = Process::start(&mut command)?;
        Ok(Self { process, detail })
    }

    /// Asks for the objects `ids`. The answers must be read to the end, or up to an error; after
    /// an error nothing more can be asked.
    pub(super) fn ask<'a>(&'a mut self, ids: &'a [ObjectId]) -> Answers<'a> {
        Answers { objects: self, ids, asked: 0, answered: 0, unread: None }
    }
}

/// The answers to one [`ask`](Objects::ask), in its order.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    objects: &'a mut Objects,
    ids: &'a [ObjectId],
    asked: usize,
    answered: usize,
    /// Bytes of the current object that are still in the pipe.
    unread: Option<u64>,
}

impl Answers<'_> {
    /// The size of the next object, in bytes; `None` after the last. What was not read of the
    /// object before it is passed over.
    pub(super) fn next_size(&mut self) -> Result<Option<u64>, Error> {
        if let Some(bytes) = self.unread.take() {
            self.pass_over(bytes)?;
        }
        let Some(&id) = self.ids.get(self.answered) else {
            return Ok(None);
        };
        if self.asked == self.answered {
            self.ask_window()?;
        }
        let size = self.read_header(id)?;
        self.answered += 1;
        if self.objects.detail == Detail::Contents {
            self.unread = Some(size);
        }
        Ok(Some(size))
    }

    /// The bytes of the object whose size was just told. Memory for all of them is taken at once:
    /// look at the size first.
    pub(super) fn contents(&mut self) -> Result<Vec<u8>, Error> {
        let size = self.unread.take().unwrap_or_default();
        let mut contents = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        let stdout = self.objects.process.stdout();
        match stdout.read_exact(&mut contents) {
            Ok(()) => self.pass_over(0)?,
            Err(error) => return Err(self.failure(&error)),
        }
        Ok(contents)
    }

    fn ask_window(&mut self) -> Result<(), Error> {
        let end = self.ids.len().min(self.asked + WINDOW);
        let window = self.ids.get(self.asked..end).unwrap_or_default();
        let Some(stdin) = self.objects.process.stdin() else {
            unreachable!("the standard input of cat-file is never given away");
        };
        let written =
            window.iter().try_for_each(|id| writeln!(stdin, "{id}")).and_then(|()| stdin.flush());
        self.asked = end;
        written.map_err(|error| self.failure(&error))
    }

    /// Reads `ID TYPE SIZE`.
    fn read_header(&mut self, id: ObjectId) -> Result<u64, Error> {
        let mut line = Vec::new();
        if let Err(error) = self.objects.process.stdout().read_until(b'\n', &mut line) {
            return Err(self.failure(&error));
        }
        let mut fields = line.trim_ascii_end().split(|&byte| byte == b' ');
        let same = fields.next().and_then(ObjectId::from_hex) == Some(id);
        let size = fields
            .nth(1)
            .and_then(|size| core::str::from_utf8(size).ok())
            .and_then(|size| size.parse().ok());
        match size {
            Some(size) if same => Ok(size),
            _ => {
                let answer = String::from_utf8_lossy(&line);
                let ours = format!("asked for object {id}, it says `{}`", answer.trim_end());
                Err(self.objects.process.failure(&ours))
            }
        }
    }

    /// Drops `bytes` and the line feed after an object.
    fn pass_over(&mut self, bytes: u64) -> Result<(), Error> {
        let rest = bytes.saturating_add(1);
        let stdout = self.objects.process.stdout();
        match io::copy(&mut stdout.take(rest), &mut io::sink()) {
            Ok(dropped) if dropped == rest => Ok(()),
            Ok(_) => Err(self.failure(&io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn failure(&mut self, error: &io::Error) -> Error {
        self.objects.process.failure(&error.to_string())
    }
}
