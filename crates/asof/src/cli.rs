//! What can be said on the command line. Each command is defined in a file of its own.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    amend::Amend, audit::Audit, backup::Backup, bad::BadCommand, cancel::Cancel, cap::CapCommand,
    commit::Commit, completions::Completions, delete::Delete, demo::Demo, diff::Diff, edge::Edge,
    erase::Erase, erase::Erasures, explain::Explain, export::Export, get::Get, history::History,
    import::ImportCommand, log::Log, ls::Ls, origin::OriginCommand, pin::PinCommand, put::Put,
    release::ReleaseCommand, restore::Restore, revert::Revert, run::Run, serve::Serve,
    space::SpaceCommand, time::Time, token::TokenCommand, verify::Verify, webhook::WebhookCommand,
};

const EXAMPLES: &str = "\
Examples:
  asof serve                                      run a store in ./asof-data
  echo '{\"eur\": 1.09}' | asof put prices usd      write a value
  asof get prices usd                             read it
  asof get prices usd --as-of 2026-11-01T00:00:00Z  read what it was
  asof --data ./asof-data ls prices               work on a folder, without a server

Times are RFC 3339 (2026-11-23T03:20:00Z) or integers of microseconds since 1970.

Exit codes:
  0 done or found   1 absent        2 wrong usage
  3 refused         4 unavailable   5 corrupt

`asof run` exits with the code of the command that it runs.";

/// A timestamped store: every write takes effect at a moment and overwrites nothing, and every
/// moment can be read, with the interval over which the answer is true.
#[derive(Parser, Debug)]
#[command(name = "asof", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Server to ask [default: <http://127.0.0.1:7400>]
    #[arg(long, global = true, env = "ASOF_SERVER", value_name = "URL", hide_env_values = true)]
    pub(crate) server: Option<String>,
    /// Open the store in this folder in this process, instead of asking a server
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Bearer token for the server
    #[arg(long, global = true, env = "ASOF_TOKEN", value_name = "SECRET", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Trust the certificate authorities in this PEM file, and no others
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Print one JSON object a line; problems too, on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Who acts, for the log and the audit (default: `user@host`)
    #[arg(long, global = true, env = "ASOF_AUTHOR", value_name = "WHO", hide_env_values = true)]
    pub(crate) author: Option<String>,
}

/// What can be done.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Serve(Serve),
    Edge(Edge),
    Explain(Explain),
    Get(Get),
    Ls(Ls),
    History(History),
    Diff(Diff),
    Log(Log),
    Put(Put),
    Delete(Delete),
    Commit(Commit),
    Amend(Amend),
    Cancel(Cancel),
    #[command(subcommand)]
    Space(SpaceCommand),
    #[command(subcommand)]
    Import(ImportCommand),
    Export(Export),
    Run(Run),
    Demo(Demo),
    Time(Time),
    #[command(subcommand)]
    Cap(CapCommand),
    #[command(subcommand)]
    Bad(BadCommand),
    Revert(Revert),
    Erase(Erase),
    Erasures(Erasures),
    #[command(subcommand)]
    Pin(PinCommand),
    #[command(subcommand)]
    Release(ReleaseCommand),
    #[command(subcommand)]
    Token(TokenCommand),
    #[command(subcommand)]
    Origin(OriginCommand),
    Audit(Audit),
    #[command(subcommand)]
    Webhook(WebhookCommand),
    Backup(Backup),
    Restore(Restore),
    Verify(Verify),
    Completions(Completions),
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
