//! `asof origin`

mod check;
mod probe;

use clap::Subcommand;

use self::check::Check;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Test services that answer as of a moment
#[derive(Subcommand, Debug)]
pub(crate) enum OriginCommand {
    Check(Check),
}

impl OriginCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Check(check) => check.run(context),
        }
    }
}
