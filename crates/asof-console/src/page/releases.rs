//! What is to come.

use super::{Acts, Frame, Template, Timestamp, WriteRow, Wrote, filters};

/// Releases and pending commits on a calendar.
#[derive(Clone, Debug, Template)]
#[template(path = "releases.html")]
pub struct Releases {
    /// What surrounds it.
    pub frame: Frame,
    /// `November 2026`.
    pub month: String,
    /// Where the month before is.
    pub previous: Option<String>,
    /// Where the month after is.
    pub next: String,
    /// Its days, a week a row.
    pub weeks: Vec<Vec<DayCell>>,
    /// Releases, those to come first.
    pub rows: Vec<ReleaseRow>,
    /// Pending commits that are no release, soonest first.
    pub pending: Vec<Entry>,
    /// Whether the viewer may act.
    pub acts: Acts,
}

/// A day of the calendar.
#[derive(Clone, Debug)]
pub struct DayCell {
    /// Which day of its month it is.
    pub day: u64,
    /// Its class: `out` of the month, `today`, or nothing.
    pub class: &'static str,
    /// What takes effect on it.
    pub entries: Vec<Entry>,
    /// How much more does.
    pub more: u64,
}

/// Something that takes effect at a moment.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What it is called.
    pub name: String,
    /// Its state.
    pub state: &'static str,
    /// Where it is shown.
    pub url: String,
}

/// A release in a list.
#[derive(Clone, Debug)]
pub struct ReleaseRow {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: &'static str,
    /// When it takes effect.
    pub at: Timestamp,
    /// How long until then, in words.
    pub left: Option<String>,
    /// Keys that it writes.
    pub writes: u64,
    /// How far its approval is, in words.
    pub approval: Option<String>,
    /// What it is.
    pub message: String,
}

impl ReleaseRow {
    /// Whether it takes effect by itself.
    pub fn is_scheduled(&self) -> bool {
        self.state == "scheduled"
    }

    /// Whether what is planned can still change.
    pub fn may_be_amended(&self) -> bool {
        self.is_scheduled() || self.state == "draft"
    }
}

/// What the writes of a release look like.
pub const WRITES_EXAMPLE: &str = r#"{"writes": [
  {"space": "prices", "key": "usd", "value": {"eur": 1.09}},
  {"space": "texts", "key": "banner", "value_text": "Spring"},
  {"space": "prices", "key": "itl", "delete": true}
]}"#;

/// Where a release is planned, or amended.
#[derive(Clone, Debug, Template)]
#[template(path = "plan.html")]
pub struct Plan {
    /// What surrounds it.
    pub frame: Frame,
    /// The release that is amended; `None` for a new one.
    pub amended: Option<ReleaseRow>,
    /// Bytes that its form may have.
    pub most: u64,
}

impl Plan {
    /// What the page is called.
    pub fn title(&self) -> String {
        match &self.amended {
            Some(row) => format!("Amend {}", row.name),
            None => "Plan a release".to_owned(),
        }
    }
}

/// A release.
#[derive(Clone, Debug, Template)]
#[template(path = "release.html")]
pub struct Release {
    /// What surrounds it.
    pub frame: Frame,
    /// The release.
    pub row: ReleaseRow,
    /// Who planned or amended it.
    pub planners: Vec<String>,
    /// The commits that it is and that undid it: what they are, and where.
    pub commits: Vec<(&'static str, String, String)>,
    /// The first of its writes.
    pub writes: Vec<WriteRow>,
    /// How many more there are.
    pub more: u64,
    /// What happened to it, oldest first.
    pub events: Vec<EventRow>,
    /// What can be done to it now: the action, and the word on its button.
    pub actions: Vec<(&'static str, &'static str)>,
    /// Whether the viewer may act.
    pub acts: Acts,
}

/// Something that happened to a release.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: &'static str,
    /// Who.
    pub by: String,
    /// The rest.
    pub detail: String,
}
