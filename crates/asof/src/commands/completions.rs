//! `asof completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof completions bash > ~/.local/share/bash-completion/completions/asof
  asof completions zsh > ~/.zfunc/_asof
  asof completions fish > ~/.config/fish/completions/asof.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "asof", &mut script);
        context.out.bytes(&script)?;
        Ok(Exit::Done)
    }
}
