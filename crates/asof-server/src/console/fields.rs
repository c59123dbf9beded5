//! The query of a page, and the fields of a form: strict, each there once.

use core::str::FromStr;

use percent_encoding::percent_decode_str;

use super::routes::Address;
use crate::limits::FIELDS_MAX;
use crate::query::parse;
use crate::refusal::Refusal;

/// What ends the name of a field whose text was percent-encoded once more.
const ENCODED: &str = "-encoded";

/// Names and texts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads what a browser made of a form, in a query or in a body.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name that is unknown or there twice, and for what is no UTF-8.
    pub(super) fn read(path: &Address, text: &str) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) =
                (decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?);
            let (name, value) = match name.strip_suffix(ENCODED) {
                Some(bare) => (bare.to_owned(), decode(&value)?),
                None => (name, value),
            };
            if !path.knows(&name) {
                return Err(Refusal::invalid(format!(
                    "this page knows no `{}`",
                    name.escape_debug()
                )));
            }
            if fields.text(&name).is_some() {
                return Err(Refusal::invalid(format!("`{name}` is there twice")));
            }
            if fields.0.len() == FIELDS_MAX {
                return Err(Refusal::too_large("there are too many fields", FIELDS_MAX));
            }
            fields.0.push((name, value));
        }
        Ok(fields)
    }

    /// The text of a field that is not empty: a browser sends the empty ones too.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty())
    }

    /// The text of a field that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| Refusal::invalid(format!("`{name}` is missing")))
    }

    /// A field, parsed.
    pub(super) fn parsed<T: FromStr<Err: core::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Refusal> {
        self.text(name).map(|text| parse(&format_args!("`{name}`"), text)).transpose()
    }

    /// Whether the flag `name` is set.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.parsed(name)?.unwrap_or(false))
    }

    /// The fields that mean something only here, not on every page.
    pub(super) fn own(&self, path: &Address) -> Vec<(&'static str, String)> {
        let own = path.takes.iter();
        own.filter_map(|name| Some((*name, self.text(name)?.to_owned()))).collect()
    }
}

fn decode(text: &str) -> Result<String, Refusal> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::invalid("the form is not percent-encoded UTF-8"))
}
