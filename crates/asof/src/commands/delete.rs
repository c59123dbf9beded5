//! `asof delete`

use clap::Args;

use super::write_args::WriteArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::show;

/// Delete a key
///
/// From then on the key is absent; what it held before stays readable at its own time. Deleting
/// an absent key is no error.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof delete prices usd
  asof delete prices usd --effective-at 2027-01-01T00:00:00Z -m 'delisted'
  asof delete prices usd --if-present")]
pub(crate) struct Delete {
    /// The space
    space: String,
    /// The key
    key: String,
    #[command(flatten)]
    write: WriteArgs,
}

impl Delete {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let when = show::When::of(self.write.effective_at);
        let options = self.write.into_options();
        let receipt = context.client()?.delete(&self.space, &self.key, &options)?;
        show::receipt(&mut context.out, &receipt, when)?;
        Ok(Exit::Done)
    }
}
