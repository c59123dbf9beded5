//! What can be done, and the words for it.

use asof_api::routes::RouteId;
use asof_console::frame::Page;

use crate::console::visit::route;
use crate::refusal::Refusal;

/// What can be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    CapSet,
    CapClear,
    Revert,
    PinCreate,
    PinRelease,
    ReleasePlan,
    ReleaseAmend,
    ReleaseApprove,
    ReleaseSchedule,
    ReleaseCancel,
    ReleaseRollBack,
    BadMark,
    BadUnmark,
}

/// Whether an action is looked at or done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Look,
    Do,
}

/// How an action is called, and how it is undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) button: &'static str,
    pub(super) undo: &'static str,
}

impl Kind {
    const ALL: [(&'static str, Self); 13] = [
        ("cap-set", Self::CapSet),
        ("cap-clear", Self::CapClear),
        ("revert", Self::Revert),
        ("pin-create", Self::PinCreate),
        ("pin-release", Self::PinRelease),
        ("release-plan", Self::ReleasePlan),
        ("release-amend", Self::ReleaseAmend),
        ("release-approve", Self::ReleaseApprove),
        ("release-schedule", Self::ReleaseSchedule),
        ("release-cancel", Self::ReleaseCancel),
        ("release-roll-back", Self::ReleaseRollBack),
        ("bad-mark", Self::BadMark),
        ("bad-unmark", Self::BadUnmark),
    ];

    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, kind)| kind).ok_or_else(|| Refusal::invalid("there is no such action"))
    }

    pub(super) fn route(self) -> RouteId {
        match self {
            Self::CapSet => RouteId::SetCap,
            Self::CapClear => RouteId::ClearCap,
            Self::Revert => RouteId::Revert,
            Self::PinCreate => RouteId::CreatePin,
            Self::PinRelease => RouteId::ReleasePin,
            Self::ReleasePlan => RouteId::PlanRelease,
            Self::ReleaseAmend => RouteId::AmendRelease,
            Self::ReleaseApprove => RouteId::ApproveRelease,
            Self::ReleaseSchedule => RouteId::ScheduleRelease,
            Self::ReleaseCancel => RouteId::CancelRelease,
            Self::ReleaseRollBack => RouteId::RollBackRelease,
            Self::BadMark => RouteId::MarkBad,
            Self::BadUnmark => RouteId::UnmarkBad,
        }
    }

    /// The page that it belongs to.
    pub(super) fn page(self) -> Page {
        match self {
            Self::CapSet | Self::CapClear => Page::Cap,
            Self::PinCreate | Self::PinRelease => Page::Pins,
            Self::Revert | Self::BadMark | Self::BadUnmark => Page::Commit,
            Self::ReleasePlan
            | Self::ReleaseAmend
            | Self::ReleaseApprove
            | Self::ReleaseSchedule
            | Self::ReleaseCancel
            | Self::ReleaseRollBack => Page::Release,
        }
    }

    /// Whether the API can try it without doing it.
    pub(super) fn can_try(self) -> bool {
        self.takes("dry_run")
    }

    /// Whether a second word is asked for where many keys are touched.
    pub(super) fn takes_second_word(self) -> bool {
        self.takes("confirm")
    }

    /// Whether commits that are marked bad stand in its way.
    pub(super) fn minds_bad(self) -> bool {
        self.takes("even_bad")
    }

    fn takes(self, name: &str) -> bool {
        route(self.route()).query_names().any(|known| known == name)
    }

    pub(super) fn words(self) -> Words {
        let (title, button, undo) = match self {
            Self::CapSet => ("Set the cap", "Set the cap", "It is undone by clearing the cap."),
            Self::CapClear => {
                ("Clear the cap", "Clear the cap", "It is undone by setting the cap again.")
            }
            Self::Revert => (
                "Revert",
                "Revert",
                "It is one more commit, which puts back what was there before; history stays. It \
                 is undone by reverting that commit.",
            ),
            Self::PinCreate => (
                "Hold a moment",
                "Hold it",
                "It is undone by releasing the pin, and lapses by itself.",
            ),
            Self::PinRelease => (
                "Release the pin",
                "Release the pin",
                "What retention drops from then on cannot be brought back.",
            ),
            Self::ReleasePlan => (
                "Plan a release",
                "Plan it",
                "A draft does nothing until it is scheduled. It is undone by cancelling it; its \
                 name is never used again.",
            ),
            Self::ReleaseAmend => (
                "Amend the release",
                "Amend it",
                "It is undone by amending it again. What was approved is to be approved anew.",
            ),
            Self::ReleaseApprove => {
                ("Approve the release", "Approve", "Amending the release takes it back.")
            }
            Self::ReleaseSchedule => (
                "Schedule the release",
                "Schedule",
                "It takes effect by itself. Until then it can be cancelled.",
            ),
            Self::ReleaseCancel => (
                "Cancel the release",
                "Cancel the release",
                "It cannot be undone; the release can be planned anew under another name.",
            ),
            Self::ReleaseRollBack => (
                "Roll the release back",
                "Roll back",
                "It is one more commit, which puts back what was there before; history stays.",
            ),
            Self::BadMark => ("Mark the commit as bad", "Mark", "The mark can be taken away."),
            Self::BadUnmark => ("Take the mark away", "Take it away", "It can be marked again."),
        };
        Words { title, button, undo }
    }
}
