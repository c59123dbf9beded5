//! `asof get`

use asof_api::body::ValidityBody;
use asof_api::{Base64, Hash, Moment};
use asof_client::{Answer, Preview, ReadAt};
use asof_time::Timestamp;
use clap::Args;
use serde::Serialize;

use super::cap::cap;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::show;

/// Read the value of a key, now or as it was
///
/// The value goes to standard output as it is, byte for byte; when it is true goes to standard
/// error.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof get prices usd
  asof get prices usd --as-of 2026-11-01T00:00:00Z
  asof get prices usd --as-of 2027-01-01T00:00:00Z --preview    what is scheduled
  asof get prices usd --json | jq .until

Exits with 1 where the key holds no value at that moment.")]
pub(crate) struct Get {
    /// The space
    space: String,
    /// The key
    key: String,
    /// The moment; latest where left out
    #[arg(long, env = "ASOF_AS_OF", value_name = "T")]
    as_of: Option<Timestamp>,
    /// Look at a moment to come, with the commits that are pending now
    #[arg(long, requires = "as_of")]
    preview: bool,
    /// Look at what the cap holds back; takes an operator
    #[arg(long, conflicts_with = "preview")]
    above_cap: bool,
}

/// A value as JSON.
#[derive(Serialize)]
struct GetLine<'a> {
    space: &'a str,
    key: &'a str,
    as_of: Moment,
    #[serde(flatten)]
    validity: Option<ValidityBody>,
    hash: Hash,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<Base64>,
}

/// That a key holds no value, as JSON: a problem that is true over an interval.
#[derive(Serialize)]
struct AbsentLine<'a> {
    name: &'static str,
    detail: &'a str,
    space: &'a str,
    key: &'a str,
    as_of: Moment,
    #[serde(flatten)]
    validity: Option<ValidityBody>,
}

impl Get {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let at = ReadAt {
            as_of: self.as_of,
            preview: if self.preview { Preview::Yes } else { Preview::No },
            cap: cap(self.above_cap),
            ..ReadAt::LATEST
        };
        let answer = context.client()?.get(&self.space, &self.key, at)?;
        self.show(&mut context.out, &answer)
    }

    fn show(&self, out: &mut Output, answer: &Answer) -> Result<Exit, Failure> {
        let sentence = show::sentence(answer.as_of, answer.validity);
        let validity = answer.validity.map(ValidityBody::from);
        let Some(found) = &answer.found else {
            if out.is_json() {
                out.problem(&AbsentLine {
                    name: "Absent",
                    detail: "the key holds no value",
                    space: &self.space,
                    key: &self.key,
                    as_of: answer.as_of.into(),
                    validity,
                });
            } else {
                out.note(&format!("absent: {sentence}"));
            }
            return Ok(Exit::Absent);
        };
        if !out.is_json() {
            out.bytes(&found.bytes)?;
            out.flush()?;
            if Output::is_terminal() && !found.bytes.ends_with(b"\n") {
                out.line("")?;
                out.flush()?;
            }
            let size = human::size(found.bytes.len() as u64);
            out.note(&format!("{sentence}; {}, {size}", found.content_type));
            return Ok(Exit::Done);
        }
        let text = core::str::from_utf8(&found.bytes).ok();
        out.json(&GetLine {
            space: &self.space,
            key: &self.key,
            as_of: answer.as_of.into(),
            validity,
            hash: found.hash,
            content_type: &found.content_type,
            value: text,
            value_base64: text.is_none().then(|| Base64(found.bytes.to_vec())),
        })?;
        Ok(Exit::Done)
    }
}
