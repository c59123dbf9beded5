//! `asof audit`

use clap::Args;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::table::{Align, Table};

/// Show who changed what of the control state, oldest first
///
/// Spaces made and taken live, retention, floors, caps, pins, tokens, clocks accepted, pending
/// commits amended and cancelled.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof audit
  asof audit --after 100 --json")]
pub(crate) struct Audit {
    /// Only records after this one
    #[arg(long, value_name = "N")]
    after: Option<u64>,
}

impl Audit {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let out = &mut context.out;
        let mut table = Table::new([
            ("#", Align::Right),
            ("AT", Align::Left),
            ("WHO", Align::Left),
            ("ACTION", Align::Left),
            ("SUBJECT", Align::Left),
            ("DETAIL", Align::Left),
            ("REASON", Align::Left),
        ]);
        let mut after = self.after;
        loop {
            let page = client.control(after, None)?;
            for record in &page.records {
                if out.is_json() {
                    out.json(record)?;
                    continue;
                }
                table.row([
                    record.sequence.to_string(),
                    record.at.0.to_string(),
                    human::one_line(&record.by),
                    record.action.clone(),
                    human::one_line(&record.subject),
                    human::one_line(&record.detail),
                    human::first_line(&record.reason),
                ]);
            }
            out.page(&mut table)?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(Exit::Done),
            }
        }
    }
}
