//! `asof commit`

use std::path::PathBuf;

use asof_api::body::WriteRequest;
use asof_time::Timestamp;
use asof_time::limits::COMMIT_BYTES_MAX;
use clap::Args;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::{files, show};

/// Write several keys at once, over one or several spaces
///
/// All of the writes take effect at the same moment, or none does. The input is one JSON object.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof commit release.json
  asof commit - --message 'spring prices' --effective-at 2027-03-01T00:00:00Z <<'END'
  {\"writes\": [
    {\"space\": \"prices\", \"key\": \"usd\", \"value\": {\"eur\": 1.09}},
    {\"space\": \"notes\", \"key\": \"usd\", \"value_text\": \"as agreed\"},
    {\"space\": \"images\", \"key\": \"flag\", \"value_base64\": \"iVBORw0=\", \"content_type\": \"image/png\"},
    {\"space\": \"prices\", \"key\": \"itl\", \"delete\": true},
    {\"space\": \"locks\", \"key\": \"run\", \"value\": 1, \"if\": {\"absent\": true}}
  ]}
  END

`if` is one of {\"absent\": true}, {\"present\": true}, {\"hash\": \"...\"} and
{\"unchanged_since\": T}. The object may hold effective_at, author and message; the options win.")]
pub(crate) struct Commit {
    /// The file; `-` for standard input
    file: PathBuf,
    /// Take effect at this future moment, not now; the commit is pending until then
    #[arg(long, value_name = "T")]
    effective_at: Option<Timestamp>,
    /// Why
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// Makes it safe to repeat: the same key gets the outcome of the first request
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Commit {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let text = files::read_input(&self.file, COMMIT_BYTES_MAX as u64)?;
        let mut commit: WriteRequest = serde_json::from_slice(&text)
            .map_err(|error| Failure::usage(format!("not a commit: {error}")))?;
        if let Some(at) = self.effective_at {
            commit.effective_at = Some(at.into());
        }
        if self.message.is_some() {
            commit.message = self.message;
        }
        let when = show::When::of(commit.effective_at.map(Timestamp::from));
        let receipt = context.client_of_new()?.commit(&commit, self.idempotency_key.as_deref())?;
        show::receipt(&mut context.out, &receipt, when)?;
        Ok(Exit::Done)
    }
}
