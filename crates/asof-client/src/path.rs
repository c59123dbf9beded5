//! Targets of requests: paths and queries, percent-encoded.

use core::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 3986 calls unreserved stays as it is.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// In a key `/` stays too: it reads better, and the route takes the rest of the path.
const KEY: AsciiSet = UNRESERVED.remove(b'/');

/// A target under construction.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    text: String,
    has_query: bool,
}

impl Target {
    /// The path `root`, which is plain ASCII.
    pub(crate) fn new(root: &str) -> Self {
        Self { text: root.to_owned(), has_query: false }
    }

    /// With one more segment; a `/` in it is encoded.
    #[must_use]
    pub(crate) fn segment(self, segment: &str) -> Self {
        let segment = dots(segment).unwrap_or_else(|| encode(segment, &UNRESERVED));
        self.join(&segment)
    }

    /// With a key as the rest of the path.
    #[must_use]
    pub(crate) fn key(self, key: &str) -> Self {
        // Segments of dots would be taken for steps of the path by whatever stands between, and
        // an empty segment at the front or the end could be folded away.
        let segments: Vec<String> = key
            .split('/')
            .map(|segment| dots(segment).unwrap_or_else(|| encode(segment, &KEY)))
            .collect();
        let slashes_hold = segments.iter().all(|segment| !segment.is_empty());
        self.join(&segments.join(if slashes_hold { "/" } else { "%2F" }))
    }

    /// With a parameter.
    #[must_use]
    pub(crate) fn query(mut self, name: &str, value: impl Display) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(&encode(&value.to_string(), &UNRESERVED));
        self
    }

    /// With a parameter where it is given.
    #[must_use]
    pub(crate) fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// With `name=true` where `set`.
    #[must_use]
    pub(crate) fn flag(self, name: &str, set: bool) -> Self {
        if set { self.query(name, true) } else { self }
    }

    /// The text.
    pub(crate) fn into_string(self) -> String {
        self.text
    }

    fn join(mut self, rest: &str) -> Self {
        self.text.push('/');
        self.text.push_str(rest);
        self
    }
}

/// `.` and `..`, which no encoding leaves alone unless it is forced.
fn dots(segment: &str) -> Option<String> {
    matches!(segment, "." | "..").then(|| segment.replace('.', "%2E"))
}

fn encode(text: &str, set: &'static AsciiSet) -> String {
    let mut encoded = String::with_capacity(text.len());
    for piece in utf8_percent_encode(text, set) {
        encoded.push_str(piece);
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_slashes_and_nothing_else() {
        let target = |key| Target::new("/k").key(key).into_string();
        assert_eq!(target("a/b"), "/k/a/b");
        assert_eq!(target("a b?c#d%&ü"), "/k/a%20b%3Fc%23d%25%26%C3%BC");
        assert_eq!(target("a/../b"), "/k/a/%2E%2E/b");
        assert_eq!(target("/a"), "/k/%2Fa");
        assert_eq!(target("a//b/"), "/k/a%2F%2Fb%2F");
    }

    #[test]
    fn queries_are_encoded() {
        let target = Target::new("/v1/x")
            .segment("a/b")
            .query("prefix", "1&2")
            .maybe("after", None::<u64>)
            .flag("preview", true)
            .into_string();
        assert_eq!(target, "/v1/x/a%2Fb?prefix=1%262&preview=true");
    }
}
