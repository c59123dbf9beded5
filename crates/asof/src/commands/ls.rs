//! `asof ls`

use asof_api::Hash;
use asof_api::body::{EntryBody, ValidityBody};
use asof_client::{KeysQuery, ReadAt};
use asof_time::Timestamp;
use asof_time::limits::PAGE_ENTRIES_DEFAULT;
use clap::Args;
use serde::Serialize;

use super::cap::cap;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::table::{Align, Table};
use crate::{human, show};

/// List the keys of a space, now or as they were
///
/// All of the listing shows one moment, however long it takes to read.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof ls prices
  asof ls users --prefix 42/
  asof ls prices --as-of 2026-11-01T00:00:00Z --json | jq -r .key
  asof ls prices --limit 10")]
pub(crate) struct Ls {
    /// The space
    space: String,
    /// Only keys that begin with this
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// The moment; latest where left out
    #[arg(long, env = "ASOF_AS_OF", value_name = "T")]
    as_of: Option<Timestamp>,
    /// Look at what the cap holds back; takes an operator
    #[arg(long)]
    above_cap: bool,
    /// At most this many keys; all where left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// A key as JSON.
#[derive(Serialize)]
struct KeyLine<'a> {
    key: &'a str,
    #[serde(flatten)]
    validity: Option<ValidityBody>,
    hash: Hash,
    bytes: u64,
}

impl Ls {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let out = &mut context.out;
        let mut table = Table::new([
            ("KEY", Align::Left),
            ("SIZE", Align::Right),
            ("FROM", Align::Left),
            ("UNTIL", Align::Left),
            ("HASH", Align::Left),
        ]);
        let cap = cap(self.above_cap);
        let mut at = ReadAt { as_of: self.as_of, cap, ..ReadAt::LATEST };
        let mut query = KeysQuery { prefix: self.prefix, ..KeysQuery::default() };
        let mut left = self.limit.unwrap_or(u64::MAX);
        loop {
            let page_max = PAGE_ENTRIES_DEFAULT.min(usize::try_from(left).unwrap_or(usize::MAX));
            query.limit = Some(page_max);
            let page = client.keys(&self.space, &query, at)?;
            // The pages after the first show the moment of the first.
            at = ReadAt { cap, ..ReadAt::at(page.as_of.0) };
            left = left.saturating_sub((page.entries.len() + page.erased.len()) as u64);
            let mut erased = page.erased.iter().peekable();
            for entry in &page.entries {
                while let Some(key) = erased.next_if(|key| **key < entry.key) {
                    show_erased(out, &mut table, key)?;
                }
                show_entry(out, &mut table, entry)?;
            }
            for key in erased {
                show_erased(out, &mut table, key)?;
            }
            out.page(&mut table)?;
            match page.next {
                Some(next) if left != 0 => query.after = Some(next),
                next => {
                    if !out.is_json() {
                        let more = if next.is_some() { "; there are more" } else { "" };
                        out.note(&format!("as of {}{more}", page.as_of.0));
                    }
                    return Ok(Exit::Done);
                }
            }
        }
    }
}

/// A key that was erased, as JSON.
#[derive(Serialize)]
pub(super) struct ErasedLine<'a> {
    key: &'a str,
    erased: bool,
}

impl<'a> ErasedLine<'a> {
    pub(super) fn new(key: &'a str) -> Self {
        Self { key, erased: true }
    }
}

/// A key that was erased is told of: a list without it would be a wrong one.
fn show_erased(out: &mut Output, table: &mut Table<5>, key: &str) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&ErasedLine::new(key));
    }
    let dash = || "-".to_owned();
    table.row([human::one_line(key), "erased".to_owned(), dash(), dash(), dash()]);
    Ok(())
}

fn show_entry(out: &mut Output, table: &mut Table<5>, entry: &EntryBody) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&KeyLine {
            key: &entry.key,
            validity: entry.validity,
            hash: entry.hash,
            bytes: entry.bytes,
        });
    }
    table.row([
        human::one_line(&entry.key),
        human::size(entry.bytes),
        show::from(entry.validity),
        show::until(entry.validity),
        show::short_hash(entry.hash),
    ]);
    Ok(())
}
