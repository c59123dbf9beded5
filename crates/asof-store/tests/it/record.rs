//! Every closed read that was ever made, to be asked again.

use std::collections::BTreeMap;

use asof_store::{AsOf, ErrorKind, Key, Result, ScanRange, SpaceName, Store, WithValues};
use asof_time::{Epoch, Timestamp, Validity};

/// A question whose answer at one moment is a fact.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Question {
    Get(SpaceName, Key),
    Scan { space: SpaceName, prefix: String, after: Option<Key>, limit: usize },
}

/// An answer as it was given: everything a caller could see of it but when it is true.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) validity: Validity,
}

#[derive(Clone, Debug)]
struct Recorded {
    as_of: Timestamp,
    epoch: Epoch,
    answer: Answer,
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    answers: BTreeMap<Question, Vec<Recorded>>,
}

impl Question {
    pub(crate) fn ask(&self, store: &Store, as_of: Timestamp) -> Result<Answer> {
        let view = store.view(AsOf::At(as_of))?;
        let (text, validity) = match self {
            Self::Get(space, key) => {
                let read = view.get(space, key)?;
                (format!("{:?}", read.value), read.validity)
            }
            Self::Scan { space, prefix, after, limit } => {
                let range = ScanRange {
                    prefix: prefix.clone(),
                    after: after.clone(),
                    limit: *limit,
                    values: WithValues::Include,
                };
                let read = view.scan(space, &range)?;
                let mut page = read.value;
                for entry in &mut page.entries {
                    let inside = entry.validity.is_some_and(|validity| validity.contains(as_of));
                    assert!(inside, "{entry:?} at {as_of:?}");
                    entry.validity = None;
                }
                (format!("{page:?}"), read.validity)
            }
        };
        let validity = validity.expect("a closed read has a validity");
        assert!(validity.contains(as_of), "{self:?} at {as_of:?}: {validity:?}");
        assert!(validity.last() <= view.closed(), "nothing is known above closed");
        Ok(Answer { text, validity })
    }
}

impl Recorder {
    /// Remembers an answer, and holds it against all others to the same question.
    #[track_caller]
    pub(crate) fn note(
        &mut self,
        store: &Store,
        question: &Question,
        as_of: Timestamp,
        answer: Answer,
    ) {
        let epoch = store.time().epoch;
        let known = self.answers.entry(question.clone()).or_default();
        for other in known.iter().filter(|other| other.epoch == epoch) {
            other.answer.assert_agrees(&answer, question);
        }
        known.push(Recorded { as_of, epoch, answer });
    }

    /// Asks everything again. Each answer has the same bytes, or says that it is no longer kept;
    /// a moment above the cap says so. Returns how many were answered, and how many were not.
    #[track_caller]
    pub(crate) fn ask_again(&self, store: &Store) -> (usize, usize) {
        let (mut answered, mut refused) = (0, 0);
        for (question, known) in &self.answers {
            let mut now: Vec<Answer> = Vec::new();
            for Recorded { as_of, answer, .. } in known {
                match question.ask(store, *as_of) {
                    Ok(again) => {
                        assert_eq!(again.text, answer.text, "{question:?} at {as_of:?}");
                        // Across epochs too: what was closed when the backup was taken is the
                        // same history.
                        answer.assert_agrees(&again, question);
                        now.push(again);
                        answered += 1;
                    }
                    Err(error) => {
                        let plain = matches!(
                            error.kind(),
                            ErrorKind::BelowFloor { floor: bound } if *as_of < bound
                        ) || matches!(
                            error.kind(),
                            ErrorKind::AboveCap { cap } if *as_of > cap
                        );
                        assert!(plain, "{question:?} at {as_of:?}: {error}");
                        refused += 1;
                    }
                }
            }
            for answer in &now {
                for other in &now {
                    answer.assert_agrees(other, question);
                }
            }
        }
        (answered, refused)
    }

    /// Forgets what was told of a key before it was erased.
    pub(crate) fn erase(&mut self, space: &SpaceName, key: &Key) {
        self.answers.retain(|question, _| match question {
            Question::Get(of, name) => (of, name) != (space, key),
            Question::Scan { space: of, .. } => of != space,
        });
    }

    /// Forgets what was told above `closed`: a timeline that ended there never said it.
    pub(crate) fn keep_up_to(&mut self, closed: Timestamp) {
        for known in self.answers.values_mut() {
            known.retain(|recorded| recorded.answer.validity.last() <= closed);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.answers.values().map(Vec::len).sum()
    }
}

impl Answer {
    /// Two intervals that share a moment belong to one answer.
    #[track_caller]
    fn assert_agrees(&self, other: &Self, question: &Question) {
        let overlap = self.validity.intersect(other.validity);
        assert!(
            overlap.is_none() || self.text == other.text,
            "{question:?} has two answers over {overlap:?}: {self:?} and {other:?}"
        );
    }
}
