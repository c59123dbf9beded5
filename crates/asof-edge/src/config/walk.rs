//! Walks a TOML text, keeping for each member where it stands.
//!
//! The derive way of reading stops at the first thing that is wrong and forgets where a member
//! stood. Here a section is asked for its members one by one; what is left unasked is unknown.

use core::fmt::Display;
use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::{Place, Sheet};
use super::units;
use crate::limits::LIST_MAX;

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// One table of the text.
#[derive(Debug)]
pub(crate) struct Section<'s, 't> {
    pub(crate) sheet: &'s Sheet<'t>,
    /// Its path, such as `services.files`; empty for the whole.
    pub(crate) path: String,
    pub(crate) place: Place,
    table: &'s DeTable<'t>,
    asked: Vec<&'static str>,
}

impl<'s, 't> Section<'s, 't> {
    /// The whole text.
    pub(crate) fn root(sheet: &'s Sheet<'t>, table: &'s DeTable<'t>) -> Self {
        Self { sheet, path: String::new(), place: Place(0), table, asked: Vec::new() }
    }

    /// The path of a member.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes that something is wrong with a member.
    pub(crate) fn wrong(&self, key: &str, place: Place, why: impl Display) {
        self.sheet.mistake(place, format!("{}: {why}", self.path_of(key)));
    }

    /// Where the value of `key` stands; the section itself where there is none.
    pub(crate) fn place_of(&self, key: &str) -> Place {
        self.table.get(key).map_or(self.place, |value| Place(value.span().start))
    }

    fn take(&mut self, key: &'static str) -> Option<&'s Spanned<DeValue<'t>>> {
        self.asked.push(key);
        self.table.get(key)
    }

    fn typed<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&'s DeValue<'t>) -> Option<T>,
    ) -> Option<Placed<T>> {
        let spanned = self.take(key)?;
        let place = Place(spanned.span().start);
        let value = read(spanned.get_ref());
        if value.is_none() {
            let found = spanned.get_ref().type_str();
            self.wrong(key, place, format!("expected {wanted}, found {found}"));
        }
        value.map(|value| Placed { value, place })
    }

    /// A text.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<Placed<String>> {
        self.typed(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// A text that `parse` understands.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Placed<T>> {
        let text = self.text(key)?;
        match parse(&text.value) {
            Ok(value) => Some(Placed { value, place: text.place }),
            Err(why) => {
                self.wrong(key, text.place, why);
                None
            }
        }
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<Placed<T>> {
        self.parsed(key, |text| {
            let known = words.iter().find(|(word, _)| *word == text);
            known.map(|(_, value)| *value).ok_or_else(|| {
                let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("`{}` is none of {}", text.escape_debug(), all.join(", "))
            })
        })
    }

    /// A length of time within bounds.
    pub(crate) fn span(
        &mut self,
        key: &'static str,
        bounds: &RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let span = self.parsed(key, |text| {
            let span = units::span(text)?;
            if bounds.contains(&span) {
                return Ok(span);
            }
            let (least, most) =
                (units::span_text(*bounds.start()), units::span_text(*bounds.end()));
            Err(format!("`{text}` is not within {least} to {most}"))
        });
        span.map(|span| span.value)
    }

    /// A whole number within bounds.
    pub(crate) fn whole(
        &mut self,
        key: &'static str,
        bounds: &RangeInclusive<u64>,
    ) -> Option<Placed<u64>> {
        let number = self.typed(key, "a whole number", whole)?;
        self.within(key, number, bounds, |number| number.to_string())
    }

    /// A size in bytes, as a text with a unit or as a plain number, within bounds.
    pub(crate) fn size(&mut self, key: &'static str, bounds: &RangeInclusive<u64>) -> Option<u64> {
        let size = match self.table.get(key).map(Spanned::get_ref) {
            Some(DeValue::String(_)) => self.parsed(key, units::size),
            _ => self.typed(key, "a size such as \"8MiB\"", whole),
        }?;
        self.within(key, size, bounds, units::size_text).map(|size| size.value)
    }

    fn within(
        &self,
        key: &str,
        number: Placed<u64>,
        bounds: &RangeInclusive<u64>,
        show: impl Fn(u64) -> String,
    ) -> Option<Placed<u64>> {
        if bounds.contains(&number.value) {
            return Some(number);
        }
        let (least, most) = (show(*bounds.start()), show(*bounds.end()));
        let why = format!("{} is not within {least} to {most}", show(number.value));
        self.wrong(key, number.place, why);
        None
    }

    /// A share: 0 to 1.
    pub(crate) fn share(&mut self, key: &'static str) -> Option<f64> {
        let share = self.typed(key, "a number from 0 to 1", |value| match value {
            DeValue::Float(float) => float.as_str().replace('_', "").parse::<f64>().ok(),
            DeValue::Integer(integer) => integer.as_str().parse::<f64>().ok(),
            _ => None,
        })?;
        if (0.0..=1.0).contains(&share.value) {
            return Some(share.value);
        }
        self.wrong(key, share.place, format!("{} is not within 0 to 1", share.value));
        None
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.typed(key, "true or false", DeValue::as_bool).map(|flag| flag.value)
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, key: &'static str) -> Option<Vec<Placed<String>>> {
        let list = self.typed(key, "a list of strings", |value| value.as_array())?;
        self.bound(key, list.place, list.value.len());
        let mut texts = Vec::new();
        for item in list.value.iter().take(LIST_MAX) {
            let place = Place(item.span().start);
            match item.get_ref().as_str() {
                Some(text) => texts.push(Placed { value: text.to_owned(), place }),
                None => self.wrong(key, place, "expected a list of strings"),
            }
        }
        Some(texts)
    }

    /// A list of texts that `T` understands, each once.
    pub(crate) fn parsed_set<T: FromStr<Err = String> + PartialEq>(
        &mut self,
        key: &'static str,
    ) -> Option<Vec<Placed<T>>> {
        let mut items: Vec<Placed<T>> = Vec::new();
        for Placed { value, place } in self.texts(key)? {
            match value.parse() {
                Ok(item) if items.iter().any(|known| known.value == item) => {
                    self.wrong(key, place, format!("`{value}` is there twice: remove one"));
                }
                Ok(item) => items.push(Placed { value: item, place }),
                Err(why) => self.wrong(key, place, why),
            }
        }
        Some(items)
    }

    /// Texts by names that the configuration gives: one alone, or a list.
    pub(crate) fn texts_by_name<T: FromStr<Err = String>>(
        &mut self,
        key: &'static str,
    ) -> Vec<(T, Vec<Placed<String>>)> {
        let Some(all) = self.typed(key, "a table", |value| value.as_table()) else {
            return Vec::new();
        };
        let mut named = Vec::new();
        for (name, item) in all.value {
            let place = Place(name.span().start);
            let one = item.get_ref().as_str().map(|text| vec![text]);
            let list = item.get_ref().as_array().and_then(|items| {
                items.iter().map(|item| item.get_ref().as_str()).collect::<Option<Vec<_>>>()
            });
            match (name.get_ref().parse::<T>(), one.or(list)) {
                (Err(why), _) => self.wrong(key, place, why),
                (_, None) => self.wrong(key, place, "expected a string or a list of strings"),
                (Ok(_), Some(texts)) if texts.is_empty() || texts.len() > LIST_MAX => {
                    self.wrong(key, place, format!("takes 1 to {LIST_MAX} values"));
                }
                (Ok(name), Some(texts)) => {
                    let placed = |text: &str| Placed { value: text.to_owned(), place: self.place };
                    named.push((name, texts.into_iter().map(placed).collect()));
                }
            }
        }
        named
    }

    fn bound(&self, key: &str, place: Place, count: usize) {
        if count > LIST_MAX {
            self.wrong(key, place, format!("{count} entries are above the limit of {LIST_MAX}"));
        }
    }

    fn below(&self, path: String, place: Place, table: &'s DeTable<'t>) -> Section<'s, 't> {
        Section { sheet: self.sheet, path, place, table, asked: Vec::new() }
    }

    /// A table.
    pub(crate) fn section(&mut self, key: &'static str) -> Option<Section<'s, 't>> {
        let table = self.typed(key, "a table", |value| value.as_table())?;
        Some(self.below(self.path_of(key), table.place, table.value))
    }

    /// A list of tables.
    pub(crate) fn sections(&mut self, key: &'static str) -> Vec<Section<'s, 't>> {
        let Some(list) = self.typed(key, "a list of tables", |value| value.as_array()) else {
            return Vec::new();
        };
        self.bound(key, list.place, list.value.len());
        let mut sections = Vec::new();
        for (nth, item) in list.value.iter().take(LIST_MAX).enumerate() {
            let place = Place(item.span().start);
            match item.get_ref().as_table() {
                Some(table) => {
                    let path = format!("{}[{nth}]", self.path_of(key));
                    sections.push(self.below(path, place, table));
                }
                None => self.wrong(key, place, "expected a list of tables"),
            }
        }
        sections
    }

    /// Tables by names that the configuration gives.
    pub(crate) fn named<T: FromStr<Err = String>>(
        &mut self,
        key: &'static str,
    ) -> Vec<(T, Section<'s, 't>)> {
        let Some(all) = self.typed(key, "a table", |value| value.as_table()) else {
            return Vec::new();
        };
        let mut named = Vec::new();
        for (name, item) in all.value {
            let place = Place(name.span().start);
            let path = format!("{}.{}", self.path_of(key), name.get_ref());
            match (name.get_ref().parse::<T>(), item.get_ref().as_table()) {
                (Err(why), _) => self.wrong(key, place, why),
                (_, None) => self.sheet.mistake(place, format!("{path}: expected a table")),
                (Ok(name), Some(table)) => named.push((name, self.below(path, place, table))),
            }
        }
        named
    }

    /// Notes the members that nobody asked for.
    pub(crate) fn finish(self) {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let hint = match nearest(name, &self.asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here are {}", self.asked.join(", ")),
            };
            self.wrong(name, Place(key.span().start), format!("unknown key; {hint}"));
        }
    }
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// The known word that somebody who wrote `word` most likely meant.
pub(crate) fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let near = known.iter().map(|other| (distance(word, other), *other)).min()?;
    (near.0 <= 1 + word.len() / 4).then_some(near.1)
}

/// How many letters must be put in, left out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((y, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(x != *y)).min(left + 1).min(above + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
