//! What the API tells of an action, as its page shows it.

use asof_api::body::{
    BlastBody, CapEdgeBody, CapReleaseBody, CapUpstreams, ChangeBody, GlanceBody, PinBody,
    ReleaseBody, RevertConflictBody, RevertOutcome,
};
use asof_console::frame::Frame;
use asof_console::page::{Blast, Change, ConflictLine, EdgeLine, Planned, Reverted, SpaceBlast};
use asof_console::text;
use asof_time::Sequence;

use super::revert::place;

/// What trying an action, or doing it, told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) blast: Option<Blast>,
    pub(super) edges: Option<Vec<EdgeLine>>,
    pub(super) reverted: Option<Reverted>,
    pub(super) planned: Option<Planned>,
    /// The second word that it takes.
    pub(super) confirm: Option<String>,
    /// What is known of it only now.
    pub(super) facts: Vec<(&'static str, String)>,
    /// Why there is nothing to be done as it is, though nothing refuses it.
    pub(super) idle: Option<Idle>,
    /// The commit that it made.
    pub(super) commit: Option<Sequence>,
}

/// Why an action that is not refused is not offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Idle {
    /// Somebody has to decide on keys first.
    Undecided,
    /// There is nothing left to do.
    Nothing,
}

pub(super) fn edge_line(edge: CapEdgeBody) -> EdgeLine {
    let mut warnings = Vec::new();
    if edge.through.is_none() {
        warnings.push("it has not heard of this store".to_owned());
    }
    if edge.late {
        warnings.push("it is not heard of any more".to_owned());
    }
    match edge.releases {
        None => warnings.push("it does not say whom it could ask for which release".to_owned()),
        Some(releases) => warnings.extend(releases.iter().filter_map(release_warning)),
    }
    EdgeLine { name: edge.name, cap: edge.cap.map(|cap| cap.0), heard: edge.heard.0, warnings }
}

fn release_warning(release: &CapReleaseBody) -> Option<String> {
    let version = release.version.as_deref().unwrap_or("no version");
    let what = match release.upstreams {
        CapUpstreams::Own => return None,
        CapUpstreams::None => "no upstream of it is left",
        CapUpstreams::Unstated => "it has upstreams of no stated version",
        CapUpstreams::Unknown => "its release cannot be read at that moment",
    };
    Some(format!("{} {version}: {what}", release.service))
}

pub(super) fn blast(blast: BlastBody) -> Blast {
    let keys = text::counted(blast.keys, "key answers", "keys answer");
    let least = if blast.at_least { "at least " } else { "" };
    Blast {
        from: blast.from.0,
        to: blast.to.0,
        keys: format!("{least}{keys} differently"),
        spaces: blast
            .spaces
            .into_iter()
            .map(|space| SpaceBlast {
                space: space.space,
                keys: space.keys,
                before: space.bytes_before,
                after: space.bytes_after,
            })
            .collect(),
        sample: blast.sample.into_iter().map(change).collect(),
    }
}

fn change(change: ChangeBody) -> Change {
    let glance = |glance: GlanceBody| {
        glance
            .excerpt
            .unwrap_or_else(|| format!("{}, {}", text::bytes(glance.bytes), glance.content_type))
    };
    Change {
        space: change.space,
        key: change.key,
        before: change.before.map(glance),
        after: change.after.map(glance),
    }
}

/// What a pin holds, or would hold.
pub(super) fn pin(pin: &PinBody) -> Vec<(&'static str, String)> {
    let mut facts = vec![("moment", pin.at.0.to_string()), ("lapses", pin.expires.0.to_string())];
    if let Some(held) = pin.held_bytes {
        let now = "that retention would drop now, and whatever it comes to until then";
        facts.push(("holds back", format!("{} {now}", text::bytes(held))));
    }
    facts
}

/// What a revert puts back, or would put back.
pub(super) fn reverted(outcome: RevertOutcome, frame: &Frame) -> Told {
    let bytes = text::bytes(outcome.bytes);
    let idle = match (outcome.conflicts, outcome.keys) {
        (0, 0) => Some(Idle::Nothing),
        (0, _) => None,
        _ => Some(Idle::Undecided),
    };
    let again = |keys| text::counted(keys, "key was written again", "keys were written again");
    let conflict = |conflict: RevertConflictBody| ConflictLine {
        place: place(&conflict.change.space, &conflict.change.key),
        url: frame.commit(&conflict.commit.0),
        commit: conflict.commit.0,
        effective: conflict.effective.0,
        change: change(conflict.change),
    };
    Told {
        idle,
        commit: outcome.receipt.map(|receipt| receipt.id.0),
        confirm: outcome.confirm,
        reverted: Some(Reverted {
            keys: match outcome.keys {
                0 => "Nothing is put back".to_owned(),
                keys => {
                    format!(
                        "{}, {bytes}",
                        text::counted(keys, "key is put back", "keys are put back")
                    )
                }
            },
            others: format!(
                "{} that already, {} kept as decided",
                text::counted(outcome.unchanged, "key holds", "keys hold"),
                text::count(outcome.kept)
            ),
            more: outcome.keys.saturating_sub(outcome.sample.len() as u64),
            sample: outcome.sample.into_iter().map(change).collect(),
            conflicts: (outcome.conflicts > 0).then(|| again(outcome.conflicts)),
            in_conflict: outcome.in_conflict.into_iter().map(conflict).collect(),
        }),
        ..Told::default()
    }
}

/// What a release is, or would be.
pub(super) fn release(release: &ReleaseBody) -> Vec<(&'static str, String)> {
    let approval = match (&release.approved_by, release.needs_approval) {
        (Some(by), _) => format!(", approved by {by}"),
        (None, true) => ", to be approved by a second operator".to_owned(),
        (None, false) => String::new(),
    };
    vec![
        ("state then", format!("{}{approval}", release.state.as_str())),
        ("takes effect", release.at.0.to_string()),
        ("message", release.message.clone()),
    ]
}
