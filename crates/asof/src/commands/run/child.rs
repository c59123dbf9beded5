//! The command that is run: its environment, its signals, its end.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use asof_time::Timestamp;
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// What the command is told.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) as_of: Timestamp,
    pub(super) server: String,
    pub(super) edge: Option<String>,
}

/// How the command ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It ran.
    Ran(ExitStatus),
    /// It did not come to that.
    NotRun(io::Error),
}

impl Ended {
    /// The exit code that says so.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Ran(status) => {
                let code = status.code().or(status.signal().map(|signal| 128 + signal));
                code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
            }
            Self::NotRun(error) if error.kind() == io::ErrorKind::NotFound => 127,
            Self::NotRun(_) => 126,
        }
    }

    /// The same for people.
    pub(super) fn describe(&self, shown: &str) -> String {
        match self {
            Self::Ran(status) => match status.signal() {
                Some(signal) => format!("`{shown}` was ended by signal {signal}"),
                None => format!("`{shown}` ended with {}", self.code()),
            },
            Self::NotRun(error) => format!("`{shown}` cannot be run ({error})"),
        }
    }
}

/// Runs `command` to its end.
pub(super) fn run(command: &[OsString], environment: &Environment) -> Result<Ended, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(supervise(command, environment))
}

async fn supervise(command: &[OsString], environment: &Environment) -> Result<Ended, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::usage("say what to run, after `--`"));
    };
    // Before there is a command that a signal could leave behind.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("ASOF_AS_OF", environment.as_of.as_micros().to_string())
        .env("ASOF_SERVER", &environment.server);
    if let Some(edge) = &environment.edge {
        command.env("ASOF_EDGE", edge);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Ended::NotRun(error)),
    };
    loop {
        tokio::select! {
            status = child.wait() => return Ok(Ended::Ran(status?)),
            Some(()) = interrupt.recv() => {
                if !terminal_told_it_too() {
                    pass_on(&child, Signal::INT);
                }
            }
            Some(()) = terminate.recv() => pass_on(&child, Signal::TERM),
            Some(()) = hangup.recv() => pass_on(&child, Signal::HUP),
        }
    }
}

/// Whether Ctrl-C reaches the command without help: then a second signal would look like
/// somebody who lost patience.
fn terminal_told_it_too() -> bool {
    rustix::termios::tcgetpgrp(io::stderr()).is_ok_and(|foreground| foreground == getpgrp())
}

fn pass_on(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended just now; then its end is the next that is heard.
        let _ = kill_process(pid, signal);
    }
}
