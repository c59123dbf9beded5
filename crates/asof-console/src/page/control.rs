//! The cap, pins, and who changed what.

use super::{Acts, Frame, Template, Timestamp, filters};

/// The cap.
#[derive(Clone, Debug, Template)]
#[template(path = "cap.html")]
pub struct Cap {
    /// What surrounds it.
    pub frame: Frame,
    /// Where it is.
    pub cap: Option<CapLine>,
    /// What became of caps before, newest first.
    pub history: Vec<AuditRow>,
    /// Whether the viewer may act.
    pub acts: Acts,
}

/// A cap that is set.
#[derive(Clone, Debug)]
pub struct CapLine {
    /// Nothing above it is read.
    pub at: Timestamp,
    /// Who set it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub set: Timestamp,
    /// When it is cleared by itself.
    pub expires: Option<Timestamp>,
}

/// Held moments.
#[derive(Clone, Debug, Template)]
#[template(path = "pins.html")]
pub struct Pins {
    /// What surrounds it.
    pub frame: Frame,
    /// The pins, by name.
    pub rows: Vec<PinRow>,
    /// The one that is about to be renewed.
    pub renewed: Option<PinRow>,
    /// Who would hold a new one.
    pub owner: String,
    /// Whether the viewer may act.
    pub acts: Acts,
}

/// A pin.
#[derive(Clone, Debug)]
pub struct PinRow {
    /// Its name.
    pub name: String,
    /// Who holds it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The moment.
    pub at: Timestamp,
    /// When it lapses.
    pub expires: Timestamp,
}

/// Who changed what.
#[derive(Clone, Debug, Template)]
#[template(path = "audit.html")]
pub struct Audit {
    /// What surrounds it.
    pub frame: Frame,
    /// The records, newest first.
    pub rows: Vec<AuditRow>,
    /// Where older ones are.
    pub older: Option<String>,
}

/// One entry of the audit.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// Its place.
    pub sequence: u64,
    /// When, by the wall.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What was done.
    pub action: &'static str,
    /// To what.
    pub subject: String,
    /// What it was before and is after.
    pub detail: String,
}
