//! What all commands that write a single key take.

use asof_api::Hash;
use asof_client::{Condition, WriteOptions};
use asof_time::Timestamp;
use clap::Args;

/// How a key is written.
#[derive(Args, Debug)]
pub(crate) struct WriteArgs {
    /// Take effect at this future moment, not now; the commit is pending until then
    #[arg(long, value_name = "T")]
    pub(crate) effective_at: Option<Timestamp>,
    /// Why, in one line
    #[arg(long, short, value_name = "TEXT", default_value = "")]
    message: String,
    /// Makes it safe to repeat: the same key gets the outcome of the first request
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    condition: ConditionArgs,
}

/// What must hold just before, or the write is refused.
#[derive(Args, Debug)]
#[group(multiple = false)]
#[expect(clippy::struct_field_names, reason = "they are the names of the options")]
struct ConditionArgs {
    /// Only if the key holds no value
    #[arg(long)]
    if_absent: bool,
    /// Only if the key holds a value
    #[arg(long)]
    if_present: bool,
    /// Only if the key holds the value with this hash
    #[arg(long, value_name = "HASH")]
    if_hash: Option<Hash>,
    /// Only if the key was not written after this moment
    #[arg(long, value_name = "T")]
    if_unchanged_since: Option<Timestamp>,
}

impl WriteArgs {
    /// As the client takes them.
    pub(crate) fn into_options(self) -> WriteOptions {
        WriteOptions {
            effective_at: self.effective_at,
            message: self.message,
            condition: self.condition.condition(),
            idempotency_key: self.idempotency_key,
        }
    }
}

impl ConditionArgs {
    fn condition(&self) -> Condition {
        if self.if_absent {
            Condition::Absent
        } else if self.if_present {
            Condition::Present
        } else if let Some(hash) = self.if_hash {
            Condition::HashIs(hash)
        } else if let Some(at) = self.if_unchanged_since {
            Condition::UnchangedSince(at)
        } else {
            Condition::None
        }
    }
}
