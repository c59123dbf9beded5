//! The rows of a space, a page at a time, the next one fetched while one is written.

use std::sync::mpsc::{Receiver, sync_channel};

use asof_client::{Client, KeysQuery, ReadAt, Values};
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

impl Source {
    /// The rows of `space` at `at` after the key `after`.
    pub(crate) fn open(
        client: Client,
        space: String,
        at: Timestamp,
        after: Option<String>,
    ) -> Self {
        // One page waits while another is written.
        let (sender, pages) = sync_channel(1);
        // It ends with the last page, or the first that nobody takes.
        std::thread::spawn(move || {
            let mut query = KeysQuery {
                after,
                limit: Some(PAGE_ENTRIES_MAX),
                values: Values::Include,
                ..KeysQuery::default()
            };
            loop {
                let page = client.keys(&space, &query, ReadAt::at(at)).map_err(Failure::from);
                let (page, next) = match page {
                    Ok(page) => {
                        let rows: Option<Vec<Row>> =
                            page.entries.into_iter().map(Row::new).collect();
                        let page_of = |rows| Page { rows, erased: page.erased };
                        (rows.map(page_of).ok_or_else(|| no_value(&space)), page.next)
                    }
                    Err(failure) => (Err(failure), None),
                };
                if sender.send(page).is_err() || next.is_none() {
                    break;
                }
                query.after = next;
            }
        });
        Self { pages }
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
