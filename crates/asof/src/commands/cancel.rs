//! `asof cancel`

use asof_time::Sequence;
use clap::Args;

use super::amend::sequence;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Cancel a commit that is still pending
///
/// It is then as if it had never been asked for, except in the audit.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof log --pending
  asof cancel 17 --reason 'not agreed after all'")]
pub(crate) struct Cancel {
    /// The commit's id
    #[arg(value_parser = sequence)]
    commit: Sequence,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Cancel {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let cancelled = context.client()?.cancel(self.commit, &self.reason)?;
        let out = &mut context.out;
        if out.is_json() {
            out.json(&cancelled)?;
        } else {
            out.line(&format!(
                "commit {} is cancelled; it would have taken effect at {}",
                cancelled.id.0, cancelled.effective.0
            ))?;
        }
        Ok(Exit::Done)
    }
}
