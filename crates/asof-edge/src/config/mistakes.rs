//! What is wrong with a configuration: everything at once, each with its line.

use core::cell::RefCell;
use core::fmt;

/// One thing that is wrong, and what to do about it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, where, and what to do.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// All that is wrong with a configuration, in the order of its lines. Never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, mistake) in self.0.iter().enumerate() {
            let separator = if nth == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Mistakes {}

/// Where a member stands in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place(pub(crate) usize);

/// Collects mistakes while a text is read.
#[derive(Debug)]
pub(crate) struct Sheet<'t> {
    text: &'t str,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'t> Sheet<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, mistakes: RefCell::default() }
    }

    /// Notes that something is wrong at `place`.
    pub(crate) fn mistake(&self, place: Place, text: impl Into<String>) {
        let before = self.text.as_bytes().get(..place.0).unwrap_or_default();
        let line = 1 + before.split(|byte| *byte == b'\n').count().saturating_sub(1);
        self.mistakes.borrow_mut().push(Mistake { line, text: text.into() });
    }

    /// `value`, if nothing was wrong.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Mistakes> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort();
        mistakes.dedup();
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            _ => {
                if mistakes.is_empty() {
                    let text = "the configuration cannot be read".to_owned();
                    mistakes.push(Mistake { line: 1, text });
                }
                Err(Mistakes(mistakes))
            }
        }
    }
}
