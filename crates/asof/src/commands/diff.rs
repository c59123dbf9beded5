//! `asof diff`

use asof_api::body::{ContentBody, DiffEntryBody};
use asof_client::DiffQuery;
use asof_time::Timestamp;
use clap::Args;

use super::cap::cap;
use super::ls::ErasedLine;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show what changed in a space between two moments
///
/// `+` is a key that came, `-` one that went, `~` one that holds something else.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof diff prices 2026-11-01T00:00:00Z 2026-11-02T00:00:00Z
  asof diff prices 1793491200000000 1793577600000000 --json")]
pub(crate) struct Diff {
    /// The space
    space: String,
    /// The first moment
    from: Timestamp,
    /// The second moment
    to: Timestamp,
    /// Look at what the cap holds back; takes an operator
    #[arg(long)]
    above_cap: bool,
}

impl Diff {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let out = &mut context.out;
        let mut table = Table::new([
            (" ", Align::Left),
            ("KEY", Align::Left),
            ("BEFORE", Align::Right),
            ("AFTER", Align::Right),
        ]);
        let mut query = DiffQuery {
            from: self.from,
            to: self.to,
            after: None,
            limit: None,
            cap: cap(self.above_cap),
        };
        let mut count = 0_u64;
        loop {
            let page = client.diff(&self.space, &query)?;
            count += page.entries.len() as u64;
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
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        if !out.is_json() {
            out.note(&match count {
                0 => "nothing changed".to_owned(),
                1 => "1 key changed".to_owned(),
                many => format!("{} keys changed", human::count(many)),
            });
        }
        Ok(Exit::Done)
    }
}

/// Nobody knows whether a key differs that was erased.
fn show_erased(out: &mut Output, table: &mut Table<4>, key: &str) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&ErasedLine::new(key));
    }
    let erased = || "erased".to_owned();
    table.row(["?".to_owned(), human::one_line(key), erased(), erased()]);
    Ok(())
}

fn show_entry(
    out: &mut Output,
    table: &mut Table<4>,
    entry: &DiffEntryBody,
) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(entry);
    }
    let sign = match (&entry.before, &entry.after) {
        (None, _) => "+",
        (_, None) => "-",
        _ => "~",
    };
    let size = |content: &Option<ContentBody>| {
        content.as_ref().map_or_else(|| "-".to_owned(), |content| human::size(content.bytes))
    };
    table.row([
        sign.to_owned(),
        human::one_line(&entry.key),
        size(&entry.before),
        size(&entry.after),
    ]);
    Ok(())
}
