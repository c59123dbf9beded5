//! What an action would touch, before it is done.

use super::{Frame, Template, Timestamp, filters};

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
    /// Why it was refused.
    pub refusal: Option<String>,
    /// The word that so many keys take.
    pub confirm: Option<String>,
    /// What goes along when it is done: names and values.
    pub fields: Vec<(String, String)>,
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
