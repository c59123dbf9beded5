//! The `git` program as a child process.
//!
//! Only plumbing commands are run, since their output is made to be read by programs and does not
//! follow the user's taste; the little configuration they do follow is overridden here and by the
//! options of each call.

use core::time::Duration;
use std::ffi::OsStr;
use std::io::{self, BufReader, BufWriter, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use super::error::{Error, ErrorKind};

/// How much of what git says on standard error is kept, in bytes. The rest is read and dropped, so
/// that git never waits for us.
const STDERR_BYTES_MAX: usize = 8 << 10;

/// How long the last words of a dead git are waited for. They are there at once unless a process
/// it started lives on and holds the pipe.
const STDERR_WAIT_MAX: Duration = Duration::from_secs(1);

/// Variables that point git at another repository than the one it is told, as set inside hooks.
const REDIRECTIONS: [&str; 11] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// A `git` command that reads history as it was committed: replacement objects and grafts, which
/// are one clone's private edits of it, are not looked at.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    for name in REDIRECTIONS {
        command.env_remove(name);
    }
    command
        .env("LC_ALL", "C")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_GRAFT_FILE", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .args(["-c", "core.quotePath=off", "--no-pager"]);
    command
}

/// A `git` command on the repository whose git directory is `git_dir`.
pub(crate) fn git_in(git_dir: &Path) -> Command {
    let mut command = git();
    command.arg("--git-dir").arg(git_dir);
    command
}

/// What a `command` that has little to say wrote, or what it said when it failed.
///
/// # Errors
///
/// If it could not be started. That it failed is the inner result, with its standard error.
pub(crate) fn run(command: &mut Command) -> Result<Result<Vec<u8>, String>, Error> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(&error))?;
    Ok(if output.status.success() { Ok(output.stdout) } else { Err(words_of(&output.stderr)) })
}

fn cannot_start(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::new(
            ErrorKind::GitMissing,
            "there is no `git` program in PATH; reading a repository needs it",
        );
    }
    Error::new(ErrorKind::Failed, format!("cannot start `git`: {error}"))
}

fn words_of(stderr: &[u8]) -> String {
    String::from_utf8_lossy(stderr).trim().to_owned()
}

/// A running git with its three pipes. It is ended and reaped when dropped.
///
/// Standard error is read by a thread of its own. Who writes to standard input and reads standard
/// output in one thread must keep what is unanswered below the size of a pipe, or both sides wait
/// for ever.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<BufWriter<ChildStdin>>,
    stdout: BufReader<ChildStdout>,
    stderr: Receiver<String>,
}

impl Process {
    /// Starts `command`.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Error> {
        let name = name_of(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot_start(&error))?;
        let (Some(stdin), Some(stdout), Some(mut errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three were asked for as pipes");
        };
        let (sender, stderr) = sync_channel(1);
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            let limit = STDERR_BYTES_MAX as u64;
            // A read that fails ends the words; there is nobody to tell.
            let _ = errors.by_ref().take(limit).read_to_end(&mut kept);
            let _ = io::copy(&mut errors, &mut io::sink());
            let _ = sender.send(words_of(&kept));
        });
        Ok(Self {
            name,
            child,
            stdin: Some(BufWriter::new(stdin)),
            stdout: BufReader::new(stdout),
            stderr,
        })
    }

    /// Its standard input, unless [taken](Self::take_stdin).
    pub(crate) fn stdin(&mut self) -> Option<&mut BufWriter<ChildStdin>> {
        self.stdin.as_mut()
    }

    /// Hands out its standard input, for another thread to write.
    pub(crate) fn take_stdin(&mut self) -> Option<BufWriter<ChildStdin>> {
        self.stdin.take()
    }

    /// Its standard output.
    pub(crate) fn stdout(&mut self) -> &mut BufReader<ChildStdout> {
        &mut self.stdout
    }

    /// Waits for it to end by itself, once its output was read to the end.
    ///
    /// # Errors
    ///
    /// If it ended with a failure: what was read may be cut short.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        drop(self.stdin.take());
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failure(&status.to_string())),
            Err(error) => Err(self.failure(&error.to_string())),
        }
    }

    /// Ends it and says why: in its own words if it left any, else in `ours`.
    pub(crate) fn failure(&mut self, ours: &str) -> Error {
        self.end();
        let words = self.stderr.recv_timeout(STDERR_WAIT_MAX);
        let why = words.as_deref().ok().filter(|words| !words.is_empty()).unwrap_or(ours);
        Error::new(ErrorKind::Failed, format!("`{}` failed: {why}", self.name))
    }

    fn end(&mut self) {
        drop(self.stdin.take());
        // Both fail only where it has ended and been reaped before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// `git` and its subcommand, for messages.
fn name_of(command: &Command) -> String {
    let subcommand = command
        .get_args()
        .filter_map(OsStr::to_str)
        .find(|arg| ["cat-file", "diff-tree", "rev-list", "fast-import"].contains(arg))
        .unwrap_or_default();
    format!("git {subcommand}").trim_end().to_owned()
}
