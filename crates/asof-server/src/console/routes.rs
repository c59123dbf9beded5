//! What the console answers, in one place. It is for browsers and no API, so none of it is in the
//! table of `asof_api` or in the OpenAPI document.

use asof_console::frame::Page;
use http::Method;

/// An address of the console.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(super) path: &'static str,
    pub(super) what: What,
    /// The names in its query, or in its form; those that all pages take are not among them.
    pub(super) takes: &'static [&'static str],
}

/// What a path is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// A page that reads.
    Page(Page),
    /// The picture of the density of changes.
    Density,
    /// Where the slider stands.
    Span,
    /// The feed, for a browser that has a session and no token.
    Feed,
    /// The one way to change anything, but for the next one.
    Act,
    /// As it, with a form that may hold all that a release writes.
    Plan,
    /// A token for a session.
    Login,
    /// The end of a session.
    Logout,
    /// A file that pages need.
    Asset,
}

/// What every page takes: the moment, what it is a fact of, and how the slider stands.
pub(super) const COMMON: &[&str] = &["at", "epoch", "build", "window", "above_cap"];

/// Where assets are, below the name of the build.
pub(super) const ASSETS: &str = "/console/assets/";

const ADDRESSES: &[Address] = &[
    page(Page::Overview, &[]),
    page(Page::Space, &["space", "prefix", "after"]),
    page(Page::Key, &["space", "key", "with", "before"]),
    page(Page::Diff, &["space", "from", "after"]),
    page(Page::Log, &["before"]),
    page(Page::Commit, &["id"]),
    page(Page::Releases, &["month"]),
    page(Page::Release, &["name"]),
    page(Page::Plan, &["name"]),
    page(Page::Pins, &["name"]),
    page(Page::Cap, &[]),
    page(Page::Edges, &[]),
    page(Page::Audit, &["before"]),
    Address { path: "/console/density.svg", what: What::Density, takes: &[] },
    Address { path: "/console/density.json", what: What::Span, takes: &[] },
    Address { path: "/console/feed", what: What::Feed, takes: &["after", "heartbeat", "spaces"] },
    Address {
        path: "/console/act",
        what: What::Act,
        takes: &[
            "action",
            "step",
            "at",
            "reason",
            "expires",
            "replaces",
            "even_bad",
            "confirm",
            "name",
            "id",
            "owner",
            "after",
            "through",
            "space",
            "keep",
            "restore",
            "skip_conflicts",
            "decide",
        ],
    },
    Address {
        path: "/console/act/plan",
        what: What::Plan,
        takes: &[
            "action", "step", "name", "at", "message", "approval", "alone", "writes", "reason",
        ],
    },
    Address { path: "/console/login", what: What::Login, takes: &["token", "next"] },
    Address { path: "/console/logout", what: What::Logout, takes: &[] },
];

const ASSET: Address = Address { path: ASSETS, what: What::Asset, takes: &[] };

const fn page(page: Page, takes: &'static [&'static str]) -> Address {
    Address { path: page.path(), what: What::Page(page), takes }
}

/// The path of the console that `path` is.
pub(super) fn find(path: &str) -> Option<&'static Address> {
    if path.starts_with(ASSETS) {
        return Some(&ASSET);
    }
    ADDRESSES.iter().find(|known| known.path == path)
}

impl Address {
    /// Whether it is asked in this way. What changes something is only ever posted.
    pub(super) fn takes_method(&self, method: &Method) -> bool {
        match self.what {
            What::Act | What::Plan | What::Login | What::Logout => *method == Method::POST,
            _ => matches!(*method, Method::GET | Method::HEAD),
        }
    }

    /// How it is asked, as `Allow` says it.
    pub(super) fn allow(&self) -> &'static str {
        if self.takes_method(&Method::POST) { "POST" } else { "GET,HEAD" }
    }

    /// Whether a field or parameter of this name means something here.
    pub(super) fn knows(&self, name: &str) -> bool {
        let shared = match self.what {
            What::Page(_) | What::Density | What::Span => COMMON,
            _ => &[],
        };
        self.takes.contains(&name) || shared.contains(&name)
    }
}
