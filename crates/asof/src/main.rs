//! `asof`: the store and its command line, in one binary.

mod cli;
mod commands;
mod context;
mod export;
mod failure;
mod files;
mod hold;
mod human;
mod import;
mod local;
mod output;
mod progress;
mod show;
mod table;
mod testrepo;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::Cli;
use crate::context::Context;
use crate::failure::Exit;
use crate::output::{Format, Output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    let format = if cli.global.json { Format::Json } else { Format::Human };
    let mut context = Context::new(cli.global, Output::standard(format));
    let done = commands::run(cli.command, &mut context)
        .and_then(|exit| context.out.flush().map(|()| exit));
    let exit = match done {
        Ok(exit) => exit,
        Err(failure) => failure.report(&mut context.out),
    };
    // The store, where this process has it open, is closed before it ends.
    drop(context);
    exit.into()
}

/// Help was asked for, or the command line is wrong: exit code 2, or what `asof run` keeps for
/// failures of its own.
fn misread(error: &clap::Error) -> ExitCode {
    // There is nobody to tell where standard error is closed.
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Done.into();
    }
    let partly = Cli::command().ignore_errors(true).try_get_matches();
    let ran = partly.is_ok_and(|matches| matches.subcommand_name() == Some("run"));
    if ran { Exit::Of(commands::run::OWN_FAILURE).into() } else { Exit::Usage.into() }
}
