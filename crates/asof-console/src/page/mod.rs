//! What each page shows.

mod act;
mod commits;
mod control;
mod edges;
mod keys;
mod overview;
mod releases;

use askama::Template;
use asof_time::{Sequence, Timestamp};

use crate::filters;
use crate::frame::Frame;

pub use act::{
    Act, Blast, Change, ConflictLine, EdgeLine, Planned, PlannedRow, Reverted, SpaceBlast,
};
pub use commits::{BadLine, Commit, CommitRow, Log, WriteRow, Wrote};
pub use control::{Audit, AuditRow, Cap, CapLine, PinRow, Pins};
pub use edges::{Edge, EdgeRouteRow, EdgeStoreRow, Edges, Outcome, Tree};
pub use keys::{Compared, Diff, DiffRow, Held, Key, KeyRow, Space, Truth, VersionRow};
pub use overview::{Counted, Overview, SpaceRow, Times};
pub use releases::{DayCell, Entry, EventRow, Plan, Release, ReleaseRow, Releases, WRITES_EXAMPLE};

/// Whether the viewer may act, so that forms are worth showing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acts {
    /// They may.
    Offered,
    /// Their role only reads.
    Hidden,
}

impl Acts {
    /// Whether they may.
    pub const fn offered(&self) -> bool {
        matches!(self, Self::Offered)
    }
}

/// Where a token is asked for.
#[derive(Clone, Debug, Template)]
#[template(path = "login.html")]
pub struct Login {
    /// What surrounds it.
    pub frame: Frame,
    /// Where to go on.
    pub next: String,
    /// Why the last token was not taken.
    pub refusal: Option<String>,
}

/// A page that cannot be shown, and why.
#[derive(Clone, Debug, Template)]
#[template(path = "refused.html")]
pub struct Refused {
    /// What surrounds it.
    pub frame: Frame,
    /// The name of the error.
    pub name: &'static str,
    /// What is wrong and what to do.
    pub detail: String,
    /// Where an operator sees it all the same.
    pub beyond: Option<String>,
}

macro_rules! html {
    ($($page:ty),*) => {
        $(impl $page {
            /// The page.
            pub fn html(&self) -> String {
                crate::render(self)
            }
        })*
    };
}

html!(
    Act, Audit, Cap, Commit, Diff, Edges, Key, Log, Login, Overview, Pins, Plan, Refused, Release,
    Releases, Space
);

/// A short form of a hash, for people to compare by.
pub fn short_hash(hash: &[u8; 32]) -> String {
    use core::fmt::Write as _;
    let mut text = String::with_capacity(12);
    for byte in hash.iter().take(6) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
