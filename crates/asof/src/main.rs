//! `asof`: the store and its command line, in one binary.

mod blast;
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
mod log;
mod output;
mod progress;
mod show;
mod table;
mod testrepo;
mod webhook;

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::cli::Cli;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error).into(),
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
fn misread(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // There is nobody to tell where standard output is closed.
        let _ = error.print();
        return Exit::Done;
    }
    tell(error);
    let partly = Cli::command().ignore_errors(true).try_get_matches();
    let ran = partly.is_ok_and(|matches| matches.subcommand_name() == Some("run"));
    if ran { Exit::Of(commands::run::OWN_FAILURE) } else { Exit::Usage }
}

/// Says what is wrong with the command line.
fn tell(error: &clap::Error) {
    let json = std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    if json {
        let told = error.render().to_string();
        let (detail, _) = told.split_once("\n\nUsage:").unwrap_or((&told, ""));
        let words = detail.split_whitespace().skip_while(|word| *word == "error:");
        let failure = Failure::usage(words.collect::<Vec<_>>().join(" "));
        failure.report(&mut Output::standard(Format::Json));
        return;
    }
    // Where a command is missing, what there is. Whether there were any words is for clap to say,
    // but it takes those of the environment for them.
    let lacking = (error.kind() == ErrorKind::MissingSubcommand)
        .then(|| Cli::try_parse_from(std::env::args_os().chain(["-h".into()])).err());
    let said = match lacking.flatten() {
        Some(help) => write!(std::io::stderr(), "{}", help.render()),
        // Its own way is the better one for people: usage, colours, what is alike.
        None => error.print(),
    };
    // There is nobody to tell where standard error is closed.
    drop(said);
}
