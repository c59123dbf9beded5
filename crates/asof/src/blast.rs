//! What an action touches, for people: how much, and some of it as a diff.

use asof_api::body::{BlastBody, ChangeBody, GlanceBody};

use crate::failure::Failure;
use crate::human;
use crate::output::Output;
use crate::table::{Align, Table};

/// Characters of a value in a table.
const VALUE_CHARS_MAX: usize = 40;

/// How much answers differently, by space, and some of it.
pub(crate) fn show(out: &mut Output, blast: &BlastBody) -> Result<(), Failure> {
    out.line(&format!("latest  {} -> {}", blast.from.0, blast.to.0))?;
    let least = if blast.at_least { "at least " } else { "" };
    let verb = if blast.keys == 1 { "answers" } else { "answer" };
    out.line(&format!("{least}{} {verb} differently", keys(blast.keys)))?;
    if blast.keys == 0 {
        return Ok(());
    }
    let mut table = Table::new([
        ("SPACE", Align::Left),
        ("KEYS", Align::Right),
        ("BEFORE", Align::Right),
        ("AFTER", Align::Right),
    ]);
    for space in &blast.spaces {
        table.row([
            space.space.clone(),
            human::count(space.keys),
            human::size(space.bytes_before),
            human::size(space.bytes_after),
        ]);
    }
    out.line("")?;
    out.page(&mut table)?;
    out.line("")?;
    if (blast.sample.len() as u64) < blast.keys {
        out.line("some of them, those written last first:")?;
    }
    changes(out, &blast.sample)
}

/// A number of keys.
pub(crate) fn keys(number: u64) -> String {
    match number {
        0 => "no keys".to_owned(),
        1 => "1 key".to_owned(),
        many => format!("{} keys", human::count(many)),
    }
}

/// Keys and what becomes of them.
pub(crate) fn changes(out: &mut Output, changes: &[ChangeBody]) -> Result<(), Failure> {
    let mut table = Table::new([
        (" ", Align::Left),
        ("SPACE", Align::Left),
        ("KEY", Align::Left),
        ("BEFORE", Align::Left),
        ("AFTER", Align::Left),
    ]);
    for change in changes {
        table.row([
            sign(change).to_owned(),
            change.space.clone(),
            human::one_line(&change.key),
            value(change.before.as_ref()),
            value(change.after.as_ref()),
        ]);
    }
    out.page(&mut table)
}

/// Whether a key comes, goes, or holds something else, as `asof diff` shows it.
pub(crate) fn sign(change: &ChangeBody) -> &'static str {
    match (&change.before, &change.after) {
        (None, _) => "+",
        (_, None) => "-",
        _ => "~",
    }
}

/// A value as its beginning, or by its size and hash where it is no text.
pub(crate) fn value(glance: Option<&GlanceBody>) -> String {
    let Some(glance) = glance else {
        return "-".to_owned();
    };
    let Some(excerpt) = &glance.excerpt else {
        return format!("{}, {}", human::size(glance.bytes), crate::show::short_hash(glance.hash));
    };
    let line = human::one_line(excerpt);
    if line.chars().count() <= VALUE_CHARS_MAX {
        return line;
    }
    let mut short: String = line.chars().take(VALUE_CHARS_MAX - 1).collect();
    short.push('…');
    short
}

/// The word about a second word.
pub(crate) fn note_confirm(out: &mut Output, confirm: Option<&str>) {
    if let Some(word) = confirm {
        out.note(&format!("so many keys take a second word: --confirm {word}"));
    }
}
