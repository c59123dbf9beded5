//! `asof`: the store and its command line, in one binary.

mod blast;
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

use crate::cli::Cli;
use crate::context::Context;
use crate::output::{Format, Output};

fn main() -> ExitCode {
    // Wrong usage ends here, with exit code 2.
    let cli = Cli::parse();
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
