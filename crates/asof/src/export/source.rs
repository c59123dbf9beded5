//! The rows of a space, a page at a time, the next one fetched while one is written.

use std::sync::mpsc::{Receiver, sync_channel};

use asof_client::{Client, KeysQuery, ReadAt, Values};
use asof_store::{AsOf, Key, ScanRange, SpaceName, Store, WithValues};
use asof_time::Timestamp;
use asof_time::limits::PAGE_ENTRIES_MAX;

use super::row::Row;
use crate::failure::Failure;

/// A page of rows.
#[derive(Debug)]
pub(crate) struct Page {
    pub(super) rows: Vec<Row>,
    /// Keys of which nobody knows any more what they held.
    pub(super) erased: Vec<String>,
}

/// Pages of rows, in the order of their keys.
#[derive(Debug)]
pub(crate) struct Source {
    pages: Receiver<Result<Page, Failure>>,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A server.
    Server(Client),
    /// A store that this process has open: what it holds need not become text and back.
    Here(Store),
}

impl Source {
    /// The rows of `space` at `at` after the key `after`.
    pub(crate) fn open(
        origin: Origin,
        space: String,
        at: Timestamp,
        mut after: Option<String>,
    ) -> Self {
        // One page waits while another is written.
        let (sender, pages) = sync_channel(1);
        // It ends with the last page, or the first that nobody takes.
        std::thread::spawn(move || {
            loop {
                let (page, next) = match origin.page(&space, at, after.take()) {
                    Ok((page, next)) => (Ok(page), next),
                    Err(failure) => (Err(failure), None),
                };
                if sender.send(page).is_err() || next.is_none() {
                    break;
                }
                after = next;
            }
        });
        Self { pages }
    }
}

impl Origin {
    /// A page, and after which key the next one begins.
    fn page(
        &self,
        space: &str,
        at: Timestamp,
        after: Option<String>,
    ) -> Result<(Page, Option<String>), Failure> {
        match self {
            Self::Server(client) => {
                let query = KeysQuery {
                    after,
                    limit: Some(PAGE_ENTRIES_MAX),
                    values: Values::Include,
                    ..KeysQuery::default()
                };
                let page = client.keys(space, &query, ReadAt::at(at))?;
                let rows: Option<Vec<Row>> = page.entries.into_iter().map(Row::new).collect();
                let rows = rows.ok_or_else(|| no_value(space))?;
                Ok((Page { rows, erased: page.erased }, page.next))
            }
            Self::Here(store) => {
                let range = ScanRange {
                    prefix: String::new(),
                    after: after.as_deref().map(Key::new).transpose()?,
                    limit: PAGE_ENTRIES_MAX,
                    values: WithValues::Include,
                };
                let page = store.view(AsOf::At(at))?.scan(&SpaceName::new(space)?, &range)?.value;
                let rows: Option<Vec<Row>> = page.entries.into_iter().map(Row::stored).collect();
                let rows = rows.ok_or_else(|| no_value(space))?;
                let erased = page.erased.iter().map(Key::to_string).collect();
                Ok((Page { rows, erased }, page.next.as_ref().map(Key::to_string)))
            }
        }
    }
}

impl Iterator for Source {
    type Item = Result<Page, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pages.recv().ok()
    }
}

fn no_value(space: &str) -> Failure {
    Failure::unavailable(format!("a page of space `{space}` has an entry without its value"))
}
