//! Query parameters: strict, and without a copy of what needs none.

use core::str::FromStr;
use std::borrow::Cow;

use asof_api::routes::{Param, Place, ROUTES, Route};
use asof_time::limits::{PAGE_ENTRIES_DEFAULT, PAGE_ENTRIES_MAX};
use percent_encoding::percent_decode_str;

use crate::refusal::Refusal;

/// Query parameters of one route, the most there are in the table.
const PARAMS_MAX: usize = params_max(ROUTES);

const fn params_max(routes: &[Route]) -> usize {
    let [route, others @ ..] = routes else { return 0 };
    let (own, theirs) = (query_params(route.params), params_max(others));
    if own > theirs { own } else { theirs }
}

const fn query_params(params: &[Param]) -> usize {
    let [param, others @ ..] = params else { return 0 };
    matches!(param.place, Place::Query) as usize + query_params(others)
}

/// A query that holds only what its route takes, each once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    /// Names, and values as they stand in the query. The last ones are empty.
    pairs: [(&'a str, &'a str); PARAMS_MAX],
}

impl<'a> Query<'a> {
    /// Checks the names in `query` against the table.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name that is unknown or there twice: a misspelt parameter must not be
    /// silently without effect.
    pub(crate) fn new(route: &Route, query: Option<&'a str>) -> Result<Self, Refusal> {
        let mut taken = Self { pairs: [("", ""); PARAMS_MAX] };
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        for (nth, (name, value)) in pairs.enumerate() {
            if !route.query_names().any(|known| known == name) {
                return Err(unknown(route, name));
            }
            if taken.raw(name).is_some() {
                return Err(Refusal::invalid(format!("query parameter `{name}` is there twice")));
            }
            let place = taken.pairs.get_mut(nth);
            *place.expect("no route takes more parameters, and each is there once") = (name, value);
        }
        Ok(taken)
    }

    fn raw(self, name: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The text of `name`.
    pub(crate) fn text(self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
            return Ok(Some(Cow::Borrowed(raw)));
        }
        // In a query a space may be written as a plus; a plus is written as %2B.
        let spaced = raw.replace('+', " ");
        let text = percent_decode_str(&spaced)
            .decode_utf8()
            .map_err(|_| Refusal::invalid(format!("query parameter `{name}` is not UTF-8")))?;
        Ok(Some(Cow::Owned(text.into_owned())))
    }

    /// The value of `name`, parsed.
    pub(crate) fn parsed<T: FromStr<Err: core::fmt::Display>>(
        self,
        name: &str,
    ) -> Result<Option<T>, Refusal> {
        self.text(name)?
            .map(|text| parse(&format_args!("query parameter `{name}`"), &text))
            .transpose()
    }

    /// Whether the flag `name` is `true`.
    pub(crate) fn flag(self, name: &str) -> Result<bool, Refusal> {
        Ok(self.parsed::<bool>(name)?.unwrap_or(false))
    }

    /// How many entries a page shall have.
    pub(crate) fn limit(self) -> Result<usize, Refusal> {
        let limit = self.parsed("limit")?.unwrap_or(PAGE_ENTRIES_DEFAULT);
        if (1..=PAGE_ENTRIES_MAX).contains(&limit) {
            Ok(limit)
        } else {
            Err(Refusal::invalid(format!("limit={limit} is not within 1 to {PAGE_ENTRIES_MAX}")))
        }
    }
}

fn unknown(route: &Route, name: &str) -> Refusal {
    let known: Vec<_> = route.query_names().collect();
    let known =
        if known.is_empty() { "none".to_owned() } else { format!("`{}`", known.join("`, `")) };
    Refusal::invalid(format!(
        "unknown query parameter `{}`; this route takes {known}",
        name.escape_debug(),
    ))
}

/// Parses `text`, which is the value of `what`.
pub(crate) fn parse<T: FromStr<Err: core::fmt::Display>>(
    what: &dyn core::fmt::Display,
    text: &str,
) -> Result<T, Refusal> {
    text.parse()
        .map_err(|error| Refusal::invalid(format!("{what} is `{}`: {error}", text.escape_debug())))
}
