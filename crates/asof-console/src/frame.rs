//! What surrounds every page: the moment that it shows, where one can go from it, and who looks.

use core::fmt::Write as _;

use asof_time::{Epoch, Sequence, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::density::Window;
use crate::text::{Shown, is_deceptive};

/// What stands for itself in a query.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b':');

/// A page of the console.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Page {
    /// Where the store is, and its spaces.
    Overview,
    /// The keys of a space.
    Space,
    /// One key.
    Key,
    /// What differs between two moments.
    Diff,
    /// Commits.
    Log,
    /// One commit.
    Commit,
    /// What is to come.
    Releases,
    /// One release.
    Release,
    /// Where one is planned or amended.
    Plan,
    /// Held moments.
    Pins,
    /// The cap.
    Cap,
    /// Edges that tell how they stand.
    Edges,
    /// Who changed what.
    Audit,
}

impl Page {
    /// Those that one can go to from everywhere.
    pub const MAIN: [Self; 8] = [
        Self::Overview,
        Self::Diff,
        Self::Log,
        Self::Releases,
        Self::Pins,
        Self::Cap,
        Self::Edges,
        Self::Audit,
    ];

    /// Where it is.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Space => "/console/space",
            Self::Key => "/console/key",
            Self::Diff => "/console/diff",
            Self::Log => "/console/log",
            Self::Commit => "/console/commit",
            Self::Releases => "/console/releases",
            Self::Release => "/console/release",
            Self::Plan => "/console/plan",
            Self::Pins => "/console/pins",
            Self::Cap => "/console/cap",
            Self::Edges => "/console/edges",
            Self::Audit => "/console/audit",
        }
    }

    /// What it is called where one goes to it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Spaces",
            Self::Space => "Space",
            Self::Key => "Key",
            Self::Diff => "Changes",
            Self::Log => "Log",
            Self::Commit => "Commit",
            Self::Releases => "Releases",
            Self::Release => "Release",
            Self::Plan => "Plan",
            Self::Pins => "Pins",
            Self::Cap => "Cap",
            Self::Edges => "Edges",
            Self::Audit => "Audit",
        }
    }

    /// The entry of the main pages that it belongs to.
    const fn main(self) -> Self {
        match self {
            Self::Space | Self::Key => Self::Overview,
            Self::Commit => Self::Log,
            Self::Release | Self::Plan => Self::Releases,
            other => other,
        }
    }

    /// Whether it is a fact at a closed moment: its URL then holds all that it depends on.
    pub const fn is_fact(self) -> bool {
        matches!(self, Self::Space | Self::Key | Self::Diff)
    }
}

/// Who looks, where that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Who {
    /// The name of the token.
    pub name: String,
    /// What it may do.
    pub role: &'static str,
}

/// How far a page looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sight {
    /// Up to the cap, as everybody does.
    #[default]
    Capped,
    /// Beyond it: an operator has asked for that by name.
    Beyond,
}

/// What surrounds a page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Which page it is.
    pub page: Page,
    /// The program that made it.
    pub build: String,
    /// The timeline.
    pub epoch: Epoch,
    /// The moment in the URL; `None` for latest.
    pub at: Option<Timestamp>,
    /// The moment that is shown.
    pub shown: Timestamp,
    /// How much of time the slider covers, where the URL says so.
    pub window: Option<Window>,
    /// Who looks.
    pub who: Option<Who>,
    /// The main pages that the viewer may see.
    pub pages: Vec<Page>,
    /// Whether what a cap holds back is shown.
    pub sight: Sight,
    /// What else is in the URL.
    pub params: Vec<(&'static str, String)>,
}

impl Frame {
    /// The URL of `page` at the moment of this one.
    pub fn to(&self, page: &Page) -> String {
        self.url(*page, self.at, &[])
    }

    /// The URL of the first page.
    pub fn start(&self) -> String {
        self.to(&Page::Overview)
    }

    /// The URL of the pins.
    pub fn pins(&self) -> String {
        self.to(&Page::Pins)
    }

    /// The URL of the releases.
    pub fn releases(&self) -> String {
        self.to(&Page::Releases)
    }

    /// The URL of this page at `at`, or at latest.
    pub fn at(&self, at: Option<Timestamp>) -> String {
        let params: Vec<_> =
            self.params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.url(self.page, at, &params)
    }

    /// The URL of this page, shown at latest where no moment is in it.
    pub fn latest(&self) -> String {
        self.at(None)
    }

    /// The URL of this page at `at`.
    pub fn moved(&self, at: &Timestamp) -> String {
        self.at(Some(*at))
    }

    /// The URL of this page with another window.
    pub fn within(&self, window: &Window) -> String {
        Self { window: Some(*window), ..self.clone() }.at(self.at)
    }

    /// The URL of this page with one parameter set anew, or another one.
    pub fn with(&self, name: &'static str, value: &str) -> String {
        let mut params: Vec<(&str, &str)> =
            self.params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        params.retain(|(known, _)| *known != name);
        params.push((name, value));
        self.url(self.page, self.at, &params)
    }

    /// The URL of a space.
    pub fn space(&self, space: &str) -> String {
        self.url(Page::Space, self.at, &[("space", space)])
    }

    /// The URL of a key.
    pub fn key(&self, space: &str, key: &str) -> String {
        self.url(Page::Key, self.at, &[("space", space), ("key", key)])
    }

    /// The URL of a key at `at`.
    pub fn key_at(&self, space: &str, key: &str, at: &Timestamp) -> String {
        self.url(Page::Key, Some(*at), &[("space", space), ("key", key)])
    }

    /// The URL of a commit.
    pub fn commit(&self, id: &Sequence) -> String {
        self.url(Page::Commit, self.at, &[("id", &id.to_string())])
    }

    /// The URL of a release.
    pub fn release(&self, name: &str) -> String {
        self.url(Page::Release, self.at, &[("name", name)])
    }

    /// The URL where a release is planned, or where the one of this name is amended.
    pub fn plan(&self, name: &str) -> String {
        let name = [("name", name)];
        self.url(Page::Plan, self.at, if name[0].1.is_empty() { &[] } else { &name })
    }

    /// The URL of the log up to closed, whatever a cap holds back.
    pub fn beyond_log(&self) -> String {
        Self { sight: Sight::Beyond, window: None, ..self.clone() }.url(Page::Log, None, &[])
    }

    /// The URL of the cap as it is now.
    pub fn cap_now(&self) -> String {
        Self { sight: Sight::Capped, ..self.clone() }.url(Page::Cap, None, &[])
    }

    /// The URL of the log at `at`.
    pub fn log_at(&self, at: &Timestamp) -> String {
        self.url(Page::Log, Some(*at), &[])
    }

    /// The URL of the cap, with `at` as what it would be set to.
    pub fn cap_at(&self, at: &Timestamp) -> String {
        self.url(Page::Cap, Some(*at), &[])
    }

    /// The URL of what changed after `from` up to `to`.
    pub fn changes(&self, from: &Timestamp, to: &Timestamp) -> String {
        self.url(Page::Diff, Some(*to), &[("from", &from.as_micros().to_string())])
    }

    /// The picture of the density of changes around what is shown.
    pub fn density(&self) -> String {
        let mut url = String::from("/console/density.svg");
        let mut mark = '?';
        if let Some(at) = self.at {
            put(&mut url, &mut mark, "at", &at.as_micros().to_string());
        }
        if let Some(window) = self.window {
            put(&mut url, &mut mark, "window", window.as_str());
        }
        url
    }

    /// Where an asset of this build is.
    pub fn asset(&self, name: &str) -> String {
        format!("/console/assets/{}/{name}", self.build)
    }

    /// Whether `page` is the one that this belongs to.
    pub fn is_under(&self, page: &Page) -> bool {
        self.page.main() == *page
    }

    /// Whether `window` is the one in the URL.
    pub fn is_within(&self, window: &Window) -> bool {
        self.window == Some(*window)
    }

    /// The moment as it stands in a field.
    pub fn moment(&self) -> String {
        self.at.map(|at| at.to_string()).unwrap_or_default()
    }

    /// What a form that asks for another moment of this page sends along: names and values.
    pub fn hidden(&self) -> Vec<(String, String)> {
        let mut hidden: Vec<_> =
            self.params.iter().map(|(name, value)| field(name, value)).collect();
        if let Some(window) = self.window {
            hidden.push(("window".to_owned(), window.as_str().to_owned()));
        }
        if self.sight == Sight::Beyond {
            hidden.push(("above_cap".to_owned(), "true".to_owned()));
        }
        hidden
    }

    /// As [`hidden`](Self::hidden), for the form of the filter, which goes back to the first page
    /// and stays at the moment.
    pub fn hidden_for_prefix(&self) -> Vec<(String, String)> {
        let mut hidden = self.hidden();
        hidden.retain(|(name, _)| !name.starts_with("prefix") && !name.starts_with("after"));
        if let Some(at) = self.at {
            hidden.push(("at".to_owned(), at.as_micros().to_string()));
        }
        hidden
    }

    fn url(&self, page: Page, at: Option<Timestamp>, params: &[(&str, &str)]) -> String {
        let mut url = page.path().to_owned();
        let mut mark = '?';
        for (name, value) in params {
            put(&mut url, &mut mark, name, value);
        }
        if let Some(at) = at {
            put(&mut url, &mut mark, "at", &at.as_micros().to_string());
            if page.is_fact() {
                put(&mut url, &mut mark, "epoch", &self.epoch.to_string());
                put(&mut url, &mut mark, "build", &self.build);
            }
        }
        if let Some(window) = self.window {
            put(&mut url, &mut mark, "window", window.as_str());
        }
        if self.sight == Sight::Beyond {
            put(&mut url, &mut mark, "above_cap", "true");
        }
        url
    }
}

fn put(url: &mut String, mark: &mut char, name: &str, value: &str) {
    // Writing into a string does not fail.
    let _ = write!(url, "{mark}{name}={}", utf8_percent_encode(value, PLAIN));
    *mark = '&';
}

/// A field of a form that arrives as it is. Browsers rewrite line ends in fields, and drop what is
/// no character; such a text goes percent-encoded, under a name that says so.
pub fn field(name: &str, value: &str) -> (String, String) {
    if value.chars().any(is_deceptive) {
        (format!("{name}-encoded"), utf8_percent_encode(value, PLAIN).to_string())
    } else {
        (name.to_owned(), value.to_owned())
    }
}

/// As [`field`], for a text of several lines.
pub fn text_field(name: &str, text: &str) -> (String, String) {
    let is_layout = |c: char| matches!(c, '\n' | '\t');
    if text.chars().any(|c| is_deceptive(c) && !is_layout(c)) {
        (format!("{name}-encoded"), utf8_percent_encode(text, PLAIN).to_string())
    } else {
        (name.to_owned(), text.to_owned())
    }
}

impl Frame {
    /// The title of the page in the window of the browser.
    pub fn title(&self, what: &str) -> String {
        let moment = self.at.map(|at| format!(" at {at}")).unwrap_or_default();
        format!("{}{moment} · Asof", Shown::line(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame {
            page: Page::Key,
            build: "0.1.0-abc".to_owned(),
            epoch: Epoch::from_random(7),
            at: Timestamp::from_micros(5),
            shown: Timestamp::from_micros(5).unwrap(),
            window: None,
            who: None,
            pages: Page::MAIN.to_vec(),
            sight: Sight::Capped,
            params: vec![("space", "s".to_owned()), ("key", "a&b=c/d\0".to_owned())],
        }
    }

    #[test]
    fn a_url_of_a_fact_holds_all_that_it_depends_on() {
        assert_eq!(
            frame().moved(&Timestamp::MIN),
            "/console/key?space=s&key=a%26b%3Dc/d%00&at=0&epoch=00000000000007&build=0.1.0-abc"
        );
        assert_eq!(frame().latest(), "/console/key?space=s&key=a%26b%3Dc/d%00");
        assert_eq!(frame().to(&Page::Cap), "/console/cap?at=5");
        assert_eq!(
            frame().with("space", "t"),
            frame()
                .key("t", "a&b=c/d\0")
                .replace("space=t&key=a%26b%3Dc/d%00", "key=a%26b%3Dc/d%00&space=t")
        );
    }

    #[test]
    fn what_leads_out_of_an_incident_is_about_now_and_looks_beyond_the_cap_only_where_it_says_so() {
        let frame = Frame { sight: Sight::Beyond, ..frame() };
        assert_eq!(frame.beyond_log(), "/console/log?above_cap=true");
        assert_eq!(frame.cap_now(), "/console/cap");
        assert_eq!(
            super::Frame { at: None, sight: Sight::Capped, ..frame }.plan(""),
            "/console/plan"
        );
    }

    #[test]
    fn a_text_of_several_lines_goes_as_it_is_unless_a_screen_would_not_show_it() {
        let as_it_is = |text: &str| ("writes".to_owned(), text.to_owned());
        assert_eq!(text_field("writes", "{\n\t1}"), as_it_is("{\n\t1}"));
        let encoded = ("writes-encoded".to_owned(), "a%0A%E2%80%AE".to_owned());
        assert_eq!(text_field("writes", "a\n\u{202e}"), encoded);
    }

    #[test]
    fn what_a_form_would_change_is_sent_encoded() {
        assert_eq!(
            frame().hidden(),
            [
                ("space".to_owned(), "s".to_owned()),
                ("key-encoded".to_owned(), "a%26b%3Dc/d%00".to_owned())
            ]
        );
    }
}
