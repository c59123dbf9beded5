//! What an action would touch, before it is done.

use crate::diff::Line;

use super::{Frame, Sequence, Template, Timestamp, filters};

/// An action, looked at before it is taken.
#[derive(Clone, Debug, Template)]
#[template(path = "act.html")]
pub struct Act {
    /// What surrounds it.
    pub frame: Frame,
    /// What would be done.
    pub title: String,
    /// What is known of it: names and texts.
    pub facts: Vec<(&'static str, String)>,
    /// What would answer differently.
    pub blast: Option<Blast>,
    /// How the edges that tell go by the cap; `None` where the action is about none.
    pub edges: Option<Vec<EdgeLine>>,
    /// What would be put back.
    pub reverted: Option<Reverted>,
    /// What would be planned.
    pub planned: Option<Planned>,
    /// Why it was refused.
    pub refusal: Option<String>,
    /// The word that so many keys take.
    pub confirm: Option<String>,
    /// What goes along when it is done: names and values.
    pub fields: Vec<(String, String)>,
    /// The long text that goes along with them: its name, and itself.
    pub text: Option<(String, String)>,
    /// Where it is sent to.
    pub address: &'static str,
    /// The word on the button; `None` where it cannot be done as it is.
    pub button: Option<&'static str>,
    /// How it is undone.
    pub undo: &'static str,
    /// Where to go back to.
    pub back: String,
}

/// An edge, and what to know of it before the cap is moved.
#[derive(Clone, Debug)]
pub struct EdgeLine {
    /// What it calls itself.
    pub name: String,
    /// The cap that it goes by, if any.
    pub cap: Option<Timestamp>,
    /// When it was last heard.
    pub heard: Timestamp,
    /// What to look at first.
    pub warnings: Vec<String>,
}

/// What answers differently.
#[derive(Clone, Debug)]
pub struct Blast {
    /// Latest before.
    pub from: Timestamp,
    /// Latest after.
    pub to: Timestamp,
    /// How many keys, in words.
    pub keys: String,
    /// The same for each space.
    pub spaces: Vec<SpaceBlast>,
    /// Some of the keys.
    pub sample: Vec<Change>,
}

/// What answers differently in one space.
#[derive(Clone, Debug)]
pub struct SpaceBlast {
    /// The space.
    pub space: String,
    /// Keys.
    pub keys: u64,
    /// Bytes that they hold before.
    pub before: u64,
    /// Bytes that they hold after.
    pub after: u64,
}

/// A key that answers differently.
#[derive(Clone, Debug)]
pub struct Change {
    /// The space.
    pub space: String,
    /// The key.
    pub key: String,
    /// What it holds before; `None` where it is absent.
    pub before: Option<String>,
    /// What it holds after.
    pub after: Option<String>,
}

/// What a revert would put back, and what stands in its way.
#[derive(Clone, Debug)]
pub struct Reverted {
    /// How many keys, in words.
    pub keys: String,
    /// What becomes of the other ones, in words.
    pub others: String,
    /// Some of the keys that are put back.
    pub sample: Vec<Change>,
    /// How many more there are.
    pub more: u64,
    /// How many keys were written again since, in words; `None` where there are none.
    pub conflicts: Option<String>,
    /// Some of them.
    pub in_conflict: Vec<ConflictLine>,
}

/// A key that a later commit wrote again.
#[derive(Clone, Debug)]
pub struct ConflictLine {
    /// What it holds, and what it would be put back to.
    pub change: Change,
    /// The last commit that wrote it.
    pub commit: Sequence,
    /// Where that commit is shown.
    pub url: String,
    /// When it took effect.
    pub effective: Timestamp,
    /// Space and key, as the answer of a form names them.
    pub place: String,
}

/// What a release would write, against what is read at latest.
#[derive(Clone, Debug)]
pub struct Planned {
    /// How many keys, in words.
    pub keys: String,
    /// How many of them would be new, changed, deleted or the same, in words.
    pub kinds: String,
    /// The first of them.
    pub rows: Vec<PlannedRow>,
    /// How many more there are.
    pub more: u64,
}

/// A key that a release would write.
#[derive(Clone, Debug)]
pub struct PlannedRow {
    /// Its kind: `new`, `changed`, `gone` or `same`.
    pub kind: &'static str,
    /// What readers see now, and what they would see.
    pub change: Change,
    /// The lines that differ, where both are texts of more than one line.
    pub lines: Option<Vec<Line>>,
}
