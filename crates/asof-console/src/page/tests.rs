//! What strangers chose stays text, on every page.

use asof_time::Epoch;

use super::*;
use crate::density::Window;
use crate::diff::{Line, Sign};
use crate::frame::{Page, Sight, Who};
use crate::text::is_deceptive;

/// Texts that would leave the place where they are put, or be taken for something else.
const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' autofocus onfocus='alert(1)",
    "a\u{202e}b\u{200b}c\u{2066}d",
    "nul\0 bell\u{7} end",
    "</title></textarea></pre><style>*{display:none}</style>&lt;b&gt;",
];

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn frame(page: Page, text: &str) -> Frame {
    Frame {
        page,
        build: "0.1.0-test".to_owned(),
        epoch: Epoch::from_random(7),
        at: Some(at(1_700_000_000_000_000)),
        shown: at(1_700_000_000_000_000),
        window: Some(Window::Day),
        who: Some(Who { name: text.to_owned(), role: "reader" }),
        pages: Page::MAIN.to_vec(),
        sight: Sight::Capped,
        params: vec![("space", text.to_owned()), ("key", text.to_owned())],
    }
}

fn change(text: &str) -> Change {
    let own = || text.to_owned();
    Change { space: own(), key: own(), before: Some(own()), after: Some(own()) }
}

fn reverted(text: &str) -> Reverted {
    Reverted {
        keys: "1 key".into(),
        others: "0 keys".into(),
        sample: vec![change(text)],
        more: 1,
        conflicts: Some("1 key".into()),
        in_conflict: vec![ConflictLine {
            change: change(text),
            commit: Sequence::MAX,
            url: frame(Page::Commit, text).commit(&Sequence::MAX),
            effective: at(5),
            place: text.chars().filter(char::is_ascii_alphanumeric).collect(),
        }],
    }
}

fn planned(text: &str) -> Planned {
    let line = Line { sign: Sign::New, text: text.to_owned() };
    let row = |lines| PlannedRow { kind: "changed", change: change(text), lines };
    Planned {
        keys: "2 keys".into(),
        kinds: "2 changed".into(),
        rows: vec![row(None), row(Some(vec![line]))],
        more: 1,
    }
}

fn commit(text: &str) -> CommitRow {
    CommitRow {
        id: Sequence::MAX,
        effective: at(5),
        author: text.to_owned(),
        message: text.to_owned(),
        writes: 1,
        spaces: vec![text.to_owned()],
        bad: true,
    }
}

fn write(text: &str) -> WriteRow {
    let frame = frame(Page::Key, text);
    WriteRow {
        space: text.to_owned(),
        key: text.to_owned(),
        wrote: Wrote::Erased,
        url: Some(frame.key(text, text)),
    }
}

fn cap(text: &str) -> CapLine {
    CapLine {
        at: at(5),
        by: text.to_owned(),
        reason: text.to_owned(),
        set: at(6),
        expires: Some(at(7)),
    }
}

fn audit(text: &str) -> AuditRow {
    AuditRow {
        sequence: 1,
        at: at(5),
        by: text.to_owned(),
        reason: text.to_owned(),
        action: "cap-set",
        subject: text.to_owned(),
        detail: text.to_owned(),
    }
}

fn entry(text: &str) -> Entry {
    let url = frame(Page::Releases, text).release(text);
    Entry { at: at(5), name: text.to_owned(), state: "scheduled", url }
}

fn release(text: &str) -> ReleaseRow {
    ReleaseRow {
        name: text.to_owned(),
        state: "draft",
        at: at(5),
        left: Some("1 d".to_owned()),
        writes: 1,
        approval: Some(text.to_owned()),
        message: text.to_owned(),
    }
}

fn edges(text: &str) -> Edges {
    let own = || text.to_owned();
    let store = EdgeStoreRow {
        store: own(),
        through: Some(at(5)),
        lag: Some("1 ms".into()),
        silent: None,
        cap: Some(at(4)),
        confirms: true,
    };
    let route = EdgeRouteRow {
        route: own(),
        mode: own(),
        standing: own(),
        class: "live",
        held: 1,
        executed: 2,
        mismatches: 3,
        hit_rate: "33.3%".into(),
        unstorable: own(),
        outcomes: vec![Outcome { held: 1, executed: 2 }],
    };
    let tree = |inputs| Tree {
        call: own(),
        known: own(),
        from: Some(at(1)),
        until: None,
        through: Some(at(5)),
        limits: own(),
        hash: own(),
        as_of: Some(at(5)),
        inputs,
    };
    let edge = Edge {
        name: own(),
        token: Some(own()),
        heard: "1 s ago".into(),
        late: false,
        entries: 1,
        bytes: 2,
        evicted: 3,
        stores: vec![store],
        routes: vec![route],
        trees: vec![tree(vec![tree(vec![tree(Vec::new())]), tree(Vec::new())])],
    };
    Edges { frame: frame(Page::Edges, text), edges: vec![edge] }
}

/// Every page, with `text` wherever a stranger chooses.
#[expect(clippy::too_many_lines, reason = "a list of the pages, each with all its fields")]
fn pages(text: &str) -> Vec<(&'static str, String)> {
    let own = || text.to_owned();
    let lines = crate::diff::lines(text, &format!("{text}\n{text}"));
    let held = Held::Text { text: own(), cut: 5, content_type: own(), bytes: 5, hash: "00".into() };
    let times = Times { latest: at(5), closed: at(5), lag: "1 ms".into(), floor: None };
    let space = SpaceRow {
        name: own(),
        state: "live".into(),
        retention: "all".into(),
        floor: Some(at(1)),
        counted: Some(Counted { keys: 1, versions: 2, bytes: 3, ago: None }),
    };
    let version = VersionRow {
        effective: at(5),
        commit: Sequence::ZERO,
        bytes: None,
        hash: String::new(),
        current: false,
        compare: Some(frame(Page::Key, text).with("with", text)),
    };
    let blast = Blast {
        from: at(5),
        to: at(4),
        keys: "1 key answers".into(),
        spaces: vec![SpaceBlast { space: own(), keys: 1, before: 1, after: 1 }],
        sample: vec![change(text)],
    };
    let pin = PinRow { name: own(), owner: own(), reason: own(), at: at(5), expires: at(6) };
    let day = DayCell { day: 1, class: "today", entries: vec![entry(text)], more: 2 };
    let event = EventRow { at: at(5), action: "release-live", by: own(), detail: own() };
    let key_row = KeyRow { key: own(), excerpt: Some(own()), bytes: 5, effective: at(5) };
    let url = frame(Page::Diff, text).with("key", text);
    let diff_row =
        DiffRow { key: own(), kind: "changed", before: Some(own()), after: Some(own()), url };
    let bad = BadLine { by: own(), reason: own(), marked: at(5) };
    let overview = Overview {
        frame: frame(Page::Overview, text),
        times,
        alarm: Some(own()),
        cap: Some(cap(text)),
        spaces: vec![space],
        recent: vec![commit(text)],
        pending: vec![entry(text)],
        pins: 1,
    };
    let space = Space {
        frame: frame(Page::Space, text),
        space: own(),
        prefix: own(),
        rows: vec![key_row],
        erased: vec![own()],
        next: Some(frame(Page::Space, text).with("after", text)),
        first: None,
    };
    let key = Key {
        frame: frame(Page::Key, text),
        space: own(),
        key: own(),
        held,
        truth: Some(Truth { from: at(1), until: Some(at(5)) }),
        commit: Some(commit(text)),
        compared: Some(Compared { from: at(1), to: at(5), lines: Some(lines) }),
        versions: vec![version],
        older: None,
    };
    let diff = Diff {
        frame: frame(Page::Diff, text),
        from: at(1),
        spaces: vec![(own(), frame(Page::Diff, text).with("space", text))],
        space: Some(own()),
        rows: vec![diff_row],
        next: None,
        acts: Acts::Offered,
    };
    let log = Log {
        frame: frame(Page::Log, text),
        rows: vec![commit(text)],
        older: None,
        live: Some("/console/feed".into()),
    };
    let one = Commit {
        frame: frame(Page::Commit, text),
        row: commit(text),
        accepted: at(5),
        before: at(4),
        pending: false,
        bad: Some(bad),
        held_below: Some(at(4)),
        spaces: vec![own(), "other".into()],
        writes: vec![write(text)],
        more: 1,
        acts: Acts::Offered,
    };
    let releases = Releases {
        frame: frame(Page::Releases, text),
        month: "May".into(),
        previous: None,
        next: frame(Page::Releases, text).with("month", text),
        weeks: vec![vec![day]],
        rows: vec![release(text)],
        pending: vec![entry(text)],
        acts: Acts::Offered,
    };
    let plan = Plan { frame: frame(Page::Plan, text), amended: Some(release(text)), most: 1 << 20 };
    let shown = Release {
        frame: frame(Page::Release, text),
        row: release(text),
        planners: vec![own()],
        commits: vec![("is", "1".into(), frame(Page::Commit, text).commit(&Sequence::ZERO))],
        writes: vec![write(text)],
        more: 1,
        events: vec![event],
        actions: vec![("release-cancel", "Cancel")],
        acts: Acts::Offered,
    };
    let pins = Pins {
        frame: frame(Page::Pins, text),
        renewed: Some(pin.clone()),
        rows: vec![pin],
        owner: own(),
        acts: Acts::Offered,
    };
    let capped = Cap {
        frame: frame(Page::Cap, text),
        cap: Some(cap(text)),
        history: vec![audit(text)],
        acts: Acts::Offered,
    };
    let audits = Audit { frame: frame(Page::Audit, text), rows: vec![audit(text)], older: None };
    let act = Act {
        frame: frame(Page::Cap, text),
        title: own(),
        facts: vec![("reason", own())],
        blast: Some(blast),
        edges: Some(vec![EdgeLine {
            name: own(),
            cap: Some(at(5)),
            heard: at(6),
            warnings: vec![own(), own()],
        }]),
        reverted: Some(reverted(text)),
        planned: Some(planned(text)),
        refusal: Some(own()),
        confirm: Some("1-keys".into()),
        fields: vec![crate::frame::field("reason", text)],
        text: Some(crate::frame::text_field("writes", text)),
        address: "/console/act",
        button: Some("Do"),
        undo: "It can be undone.",
        back: frame(Page::Release, text).release(text),
    };
    let refused = Refused {
        frame: frame(Page::Key, text),
        name: "AboveCap",
        detail: own(),
        beyond: Some(frame(Page::Key, text).latest()),
    };
    let login = Login { frame: frame(Page::Overview, text), next: own(), refusal: Some(own()) };
    vec![
        ("overview", overview.html()),
        ("space", space.html()),
        ("key", key.html()),
        ("diff", diff.html()),
        ("log", log.html()),
        ("commit", one.html()),
        ("releases", releases.html()),
        ("release", shown.html()),
        ("plan", plan.html()),
        ("pins", pins.html()),
        ("cap", capped.html()),
        ("audit", audits.html()),
        ("edges", edges(text).html()),
        ("act", act.html()),
        ("refused", refused.html()),
        ("login", login.html()),
    ]
}

/// What a page is made of, its texts aside: each tag with the names of its attributes.
fn tags(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let mut tag = String::new();
        let mut quoted = false;
        let mut end = 0;
        for (index, character) in after.char_indices() {
            match character {
                '"' => quoted = !quoted,
                '>' if !quoted => {
                    end = index;
                    break;
                }
                _ if !quoted => tag.push(character),
                _ => {}
            }
        }
        assert!(!quoted, "a quote is left open: {after}");
        rest = after.get(end..).unwrap();
        tags.push(tag);
    }
    tags
}

#[test]
fn a_text_of_a_stranger_adds_no_markup_to_any_page() {
    for text in HOSTILE {
        for ((name, hostile), (_, harmless)) in pages(text).iter().zip(pages("harmless")) {
            assert!(hostile.contains("</html>"), "{name} is whole");
            assert_eq!(tags(hostile), tags(&harmless), "{name} with {text:?}");
        }
    }
}

#[test]
fn what_a_screen_would_not_show_is_on_no_page() {
    for text in HOSTILE {
        for (name, html) in pages(text) {
            let unseen = html.chars().find(|c| is_deceptive(*c) && !matches!(c, '\n' | '\t'));
            assert_eq!(unseen, None, "{name} with {text:?}");
        }
    }
}

#[test]
fn no_page_holds_script_or_style_of_its_own() {
    for (name, html) in pages("x") {
        for tag in tags(&html) {
            let is_ours = tag == "script defer src=";
            assert!(is_ours || !tag.starts_with("script"), "{name}: <{tag}>");
            assert!(!tag.starts_with("style") && !tag.contains(" style="), "{name}: <{tag}>");
            let handler = tag.split_whitespace().any(|name| name.starts_with("on"));
            assert!(!handler, "{name}: <{tag}>");
        }
    }
}

#[test]
fn every_field_has_a_label() {
    for (name, html) in pages("x") {
        for tag in html.split("<input ").skip(1) {
            let tag = tag.split('>').next().unwrap_or_default();
            let before = html.split(tag).next().unwrap_or_default();
            let in_label = before.rfind("<label") > before.rfind("</label");
            let id = tag.split("id=\"").nth(1).and_then(|rest| rest.split('"').next());
            let by_id = id.is_some_and(|id| html.contains(&format!("for=\"{id}\"")));
            let named = tag.contains("aria-label=") || tag.contains("type=\"hidden\"");
            assert!(in_label || by_id || named, "{name}: <input {tag}>");
        }
    }
}
