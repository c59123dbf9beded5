//! `asof`: the store and its command line, in one binary.

mod cli;
mod commands;
mod context;
mod failure;
mod files;
mod human;
mod import;
mod local;
mod output;
mod progress;
mod show;
mod table;
mod testrepo;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error).into(),
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

/// Where a command is missing, what there is. Whether there were any words is for clap to say, but
/// it takes those of the environment for them.
fn lacking() -> Option<clap::Error> {
    Cli::try_parse_from(std::env::args_os().chain(["-h".into()])).err()
}

/// Says what is wrong with the command line, or what it asks to be told: help, or the version.
fn misused(error: &clap::Error) -> Exit {
    let json = || std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    if error.kind() == ErrorKind::MissingSubcommand
        && !json()
        && let Some(help) = lacking()
    {
        Output::standard(Format::Human).note(help.render().to_string().trim_end());
        return Exit::Usage;
    }
    if !error.use_stderr() || !json() {
        // Its own way is the better one for people: usage, colours, what is alike.
        error.exit();
    }
    let told = error.render().to_string();
    let (detail, _) = told.split_once("\n\nUsage:").unwrap_or((&told, ""));
    let words: Vec<&str> = detail.split_whitespace().skip_while(|word| *word == "error:").collect();
    Failure::usage(words.join(" ")).report(&mut Output::standard(Format::Json))
}
