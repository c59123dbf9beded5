//! The commands, one a file: its arguments, and what it does with them.

pub(crate) mod amend;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bad;
pub(crate) mod cancel;
pub(crate) mod cap;
pub(crate) mod commit;
pub(crate) mod completions;
mod confirmed;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod edge;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod log;
pub(crate) mod ls;
pub(crate) mod origin;
pub(crate) mod pin;
pub(crate) mod put;
pub(crate) mod release;
pub(crate) mod restore;
pub(crate) mod revert;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod space;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod verify;
pub(crate) mod webhook;

mod write_args;

use self::erase::Erasures;
use self::verify::Verify;
use crate::cli::Command;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Does what `command` says.
pub(crate) fn run(command: Command, context: &mut Context) -> Result<Exit, Failure> {
    match command {
        Command::Serve(command) => command.run(context),
        Command::Edge(command) => command.run(context),
        Command::Explain(command) => command.run(context),
        Command::Get(command) => command.run(context),
        Command::Ls(command) => command.run(context),
        Command::History(command) => command.run(context),
        Command::Diff(command) => command.run(context),
        Command::Log(command) => command.run(context),
        Command::Put(command) => command.run(context),
        Command::Delete(command) => command.run(context),
        Command::Commit(command) => command.run(context),
        Command::Amend(command) => command.run(context),
        Command::Cancel(command) => command.run(context),
        Command::Space(command) => command.run(context),
        Command::Import(command) => command.run(context),
        Command::Export(command) => command.run(context),
        Command::Run(command) => Ok(command.run(context)),
        Command::Demo(command) => command.run(context),
        Command::Time(command) => command.run(context),
        Command::Cap(command) => command.run(context),
        Command::Bad(command) => command.run(context),
        Command::Revert(command) => command.run(context),
        Command::Erase(command) => command.run(context),
        Command::Erasures(_) => Erasures::run(context),
        Command::Pin(command) => command.run(context),
        Command::Release(command) => command.run(context),
        Command::Token(command) => command.run(context),
        Command::Origin(command) => command.run(context),
        Command::Audit(command) => command.run(context),
        Command::Webhook(command) => command.run(context),
        Command::Backup(command) => command.run(context),
        Command::Restore(command) => command.run(context),
        Command::Verify(_) => Verify::run(context),
        Command::Completions(command) => command.run(context),
    }
}
