//! `asof history`

use asof_api::body::{HistoryVersionBody, ValidityBody};
use asof_api::{CommitId, Hash, Moment};
use asof_client::{HistoryQuery, ReadAt};
use asof_time::Timestamp;
use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::table::{Align, Table};
use crate::{human, show};

/// List the versions of a key, newest first
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof history prices usd
  asof history prices usd --from 2026-11-01T00:00:00Z
  asof history prices usd --json | jq -r 'select(.deleted) | .from'

Exits with 1 where the key never held a value.")]
pub(crate) struct History {
    /// The space
    space: String,
    /// The key
    key: String,
    /// Up to this moment; latest where left out
    #[arg(long, env = "ASOF_AS_OF", value_name = "T")]
    as_of: Option<Timestamp>,
    /// Only versions that were still true at this moment or later
    #[arg(long, value_name = "T")]
    from: Option<Timestamp>,
    /// At most this many versions; all where left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// A version as JSON.
#[derive(Serialize)]
struct VersionLine<'a> {
    space: &'a str,
    key: &'a str,
    as_of: Moment,
    #[serde(flatten)]
    validity: Option<ValidityBody>,
    commit: CommitId,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    deleted: bool,
}

impl History {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let out = &mut context.out;
        let mut table = Table::new([
            ("FROM", Align::Left),
            ("UNTIL", Align::Left),
            ("COMMIT", Align::Right),
            ("SIZE", Align::Right),
            ("HASH", Align::Left),
            ("TYPE", Align::Left),
        ]);
        let mut at = self.as_of.map_or(ReadAt::LATEST, ReadAt::at);
        let mut query = HistoryQuery { from: self.from, ..HistoryQuery::default() };
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut exit = Exit::Absent;
        loop {
            let page = client.history(&self.space, &self.key, query, at)?;
            at = ReadAt::at(page.as_of.0);
            for version in &page.versions {
                if left == 0 {
                    break;
                }
                left -= 1;
                exit = Exit::Done;
                self.show(out, &mut table, page.as_of, version)?;
            }
            out.page(&mut table)?;
            match page.next {
                Some(next) if left != 0 => query.before = Some(next.0),
                _ => break,
            }
        }
        if exit == Exit::Absent && !out.is_json() {
            out.note("the key never held a value");
        }
        Ok(exit)
    }

    fn show(
        &self,
        out: &mut Output,
        table: &mut Table<6>,
        as_of: Moment,
        version: &HistoryVersionBody,
    ) -> Result<(), Failure> {
        if out.is_json() {
            return out.json(&VersionLine {
                space: &self.space,
                key: &self.key,
                as_of,
                validity: version.validity,
                commit: version.commit,
                hash: version.hash,
                content_type: version.content_type.as_deref(),
                bytes: version.bytes,
                deleted: version.deleted,
            });
        }
        let content_type = if version.deleted {
            "deleted"
        } else {
            version.content_type.as_deref().unwrap_or_default()
        };
        table.row([
            version.effective.0.to_string(),
            show::until(version.validity),
            version.commit.0.to_string(),
            version.bytes.map_or_else(|| "-".into(), human::size),
            version.hash.map_or_else(|| "-".into(), show::short_hash),
            human::one_line(content_type),
        ]);
        Ok(())
    }
}
