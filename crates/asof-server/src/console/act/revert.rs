//! Reverts: what is taken back, and what is decided on keys that were written again since.

use asof_api::body::{KeyBody, RevertRequest};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::console::fields::Fields;
use crate::console::visit::Visit;
use crate::refusal::Refusal;

/// What was decided so far: keys as [`place`] names them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Decisions {
    keep: Vec<String>,
    restore: Vec<String>,
    others: Others,
}

/// What becomes of keys that were written again and are not decided on one by one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Others {
    /// They keep the whole from being done.
    #[default]
    Open,
    /// They stay as they are.
    Kept,
}

/// A key of a space as one word, whatever is in it.
pub(super) fn place(space: &str, key: &str) -> String {
    utf8_percent_encode(&format!("{space}/{key}"), NON_ALPHANUMERIC).to_string()
}

impl Decisions {
    /// Those in the form, with the one that its button stands for.
    pub(super) fn read(fields: &Fields) -> Result<Self, Refusal> {
        let list = |name| {
            let words = fields.text(name).unwrap_or_default().split(' ');
            words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let mut known = Self { keep: list("keep"), restore: list("restore"), others: Others::Open };
        if fields.flag("skip_conflicts")? {
            known.others = Others::Kept;
        }
        match fields.text("decide").map(|text| text.split_once(' ').unwrap_or((text, ""))) {
            None => {}
            Some(("keep", place)) => known.keep.push(place.to_owned()),
            Some(("restore", place)) => known.restore.push(place.to_owned()),
            Some(("skip", "")) => known.others = Others::Kept,
            Some(_) => return Err(Refusal::invalid("there is no such decision")),
        }
        Ok(known)
    }

    /// As fields of the next form.
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        for (name, places) in [("keep", &self.keep), ("restore", &self.restore)] {
            if !places.is_empty() {
                fields.push((name.to_owned(), places.join(" ")));
            }
        }
        if self.others == Others::Kept {
            fields.push(("skip_conflicts".to_owned(), "true".to_owned()));
        }
        fields
    }

    /// For people.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        for (name, places) in [("kept as they are", &self.keep), ("put back", &self.restore)] {
            let places = places.iter().filter_map(|place| key(place).ok());
            let places: Vec<_> =
                places.map(|KeyBody { space, key }| format!("{space}/{key}")).collect();
            if !places.is_empty() {
                facts.push((name, places.join(", ")));
            }
        }
        if self.others == Others::Kept {
            facts.push(("written again since", "all others are kept as they are".to_owned()));
        }
        facts
    }
}

fn key(place: &str) -> Result<KeyBody, Refusal> {
    let decoded = percent_decode_str(place).decode_utf8().ok();
    let found = decoded.as_ref().and_then(|text| text.split_once('/'));
    found
        .map(|(space, key)| KeyBody { space: space.to_owned(), key: key.to_owned() })
        .ok_or_else(|| Refusal::invalid("a decision names no key"))
}

/// What the form asks for.
pub(super) fn request(visit: &Visit<'_>, author: &str) -> Result<Vec<u8>, Refusal> {
    let decisions = Decisions::read(&visit.fields)?;
    let keys =
        |places: &[String]| places.iter().map(|place| key(place)).collect::<Result<Vec<_>, _>>();
    let commit = match visit.fields.text("id") {
        Some(_) => Some(crate::console::commits::id(visit)?.into()),
        None => None,
    };
    let request = RevertRequest {
        commit,
        after: visit.moment("after")?.map(Into::into),
        through: visit.moment("through")?.map(Into::into),
        space: visit.fields.text("space").map(str::to_owned),
        effective_at: visit.moment("at")?.map(Into::into),
        skip_conflicts: decisions.others == Others::Kept,
        keep: keys(&decisions.keep)?,
        restore: keys(&decisions.restore)?,
        author: author.to_owned(),
        reason: visit.fields.text("reason").unwrap_or_default().to_owned(),
    };
    serde_json::to_vec(&request).map_err(|error| Refusal::invalid(error.to_string()))
}
