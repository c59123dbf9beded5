//! Spaces, keys, and what differs between two moments.

use std::collections::BTreeSet;

use asof_api::routes::RouteId;
use asof_console::frame::{Frame, Page};
use asof_console::page::{
    Acts, Compared, Diff, DiffRow, Held, Key as KeyPage, KeyRow, Space, Truth, VersionRow,
    short_hash,
};
use asof_console::{diff as line_diff, pretty};
use asof_store::{
    AsOf, Content, Cursor, DiffEntry, DiffPage, ErrorKind, HistoryRange, Key, LogRange, ScanRange,
    SpaceName, SpaceState, Store, Version, View, WithValues,
};
use asof_time::{End, Timestamp};

use super::commits;
use super::visit::{Visit, moment};
use crate::limits::{
    CONSOLE_KEYS, CONSOLE_ROWS, DIFF_KEYS_MAX, DIFF_PAGE_COMMITS, DIFF_PAGES_MAX,
    EXCERPT_BYTES_MAX, EXCERPT_CHARS_MAX, SHOWN_BYTES_MAX,
};
use crate::refusal::Refusal;

pub(super) async fn space(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    let space = visit.may_in(RouteId::Scan)?;
    let view = visit.view(&frame)?;
    let prefix = visit.fields.text("prefix").unwrap_or_default().to_owned();
    let after = visit.fields.text("after").map(Key::new).transpose()?;
    let is_first = after.is_none();
    let range =
        ScanRange { prefix: prefix.clone(), after, limit: CONSOLE_KEYS, values: WithValues::Omit };
    let name = space.to_string();
    let (rows, erased, next) = visit
        .app
        .walk(move |_| {
            let page = view.scan(&space, &range)?.value;
            let mut rows = Vec::with_capacity(page.entries.len());
            for entry in page.entries {
                rows.push(KeyRow {
                    excerpt: excerpt(&view, &space, &entry.key, &entry.content)?,
                    key: entry.key.to_string(),
                    bytes: entry.content.bytes,
                    effective: entry.effective,
                });
            }
            let erased = page.erased.iter().map(Key::to_string).collect();
            Ok((rows, erased, page.next))
        })
        .await?;
    let first = (!is_first).then(|| {
        let mut frame = frame.clone();
        frame.params.retain(|(name, _)| *name != "after");
        frame.at(frame.at)
    });
    let next = next.map(|key| frame.with("after", key.as_str()));
    Ok(Space { frame, space: name, prefix, rows, erased, next, first }.html())
}

/// The beginning of a value that is text and not too long to be read for this.
fn excerpt(
    view: &View,
    space: &SpaceName,
    key: &Key,
    content: &Content,
) -> Result<Option<String>, Refusal> {
    if content.bytes > EXCERPT_BYTES_MAX {
        return Ok(None);
    }
    let version = view.get(space, key)?.value;
    Ok(version.and_then(|version| beginning(&version.bytes)))
}

/// The beginning of a value that is text.
pub(super) fn beginning(bytes: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(bytes).ok()?;
    let mut excerpt: String = text.chars().take(EXCERPT_CHARS_MAX).collect();
    if excerpt.len() < text.len() {
        excerpt.push('…');
    }
    Some(excerpt)
}

pub(super) async fn key(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    let space = visit.may_in(RouteId::History)?;
    let key = Key::new(visit.fields.needed("key")?)?;
    let view = visit.view(&frame)?;
    let with = visit.moment("with")?;
    let before = visit.moment("before")?;
    let earlier = with.map(|with| visit.view_at(&frame, Some(with))).transpose()?;
    let (app, asked) = (visit.app, (space.clone(), key.clone()));
    let known = app
        .walk(move |store| {
            let (space, key) = asked;
            let read = view.get(&space, &key)?;
            let range = HistoryRange { from: Timestamp::MIN, before, limit: CONSOLE_ROWS };
            let history = view.history(&space, &key, &range)?;
            let commit = match &read.value {
                // Of what retention has dropped the log knows nothing any more.
                Some(version) => store.commit_by_id(version.commit).ok(),
                None => None,
            };
            // Without being asked, the version is compared with the one before it.
            let earlier = match (earlier, history.versions.get(1)) {
                (Some(earlier), _) => Some(earlier),
                (None, Some(one)) if before.is_none() => {
                    store.view(AsOf::Beyond(one.effective)).ok()
                }
                (None, _) => None,
            };
            let other = earlier
                .map(|earlier| {
                    Ok::<_, Refusal>((earlier.as_of(), earlier.get(&space, &key)?.value))
                })
                .transpose()?;
            Ok((read, history, commit, other))
        })
        .await?;
    let (read, history, commit, other) = known;
    let shown = read.value.as_ref().map(|version| version.effective);
    let compare = |at: Timestamp| frame.with("with", &at.as_micros().to_string());
    let versions = history.versions.iter().map(|version| VersionRow {
        effective: version.effective,
        commit: version.commit,
        bytes: version.content.as_ref().map(|content| content.bytes),
        hash: version
            .content
            .as_ref()
            .map(|content| short_hash(content.hash.as_bytes()))
            .unwrap_or_default(),
        current: shown == Some(version.effective),
        compare: Some(compare(version.effective)),
    });
    let page = KeyPage {
        versions: versions.collect(),
        older: history.next.map(|next| frame.with("before", &next.as_micros().to_string())),
        truth: read.validity.map(|validity| Truth {
            from: validity.from(),
            until: match validity.end() {
                End::Until(until) => Some(until),
                End::Through(_) => None,
            },
        }),
        compared: other
            .map(|(at, other)| compared(at, other.as_ref(), &frame, read.value.as_ref())),
        held: held(read.value.as_ref()),
        // Whether it is marked bad may change, and this page may be kept for ever.
        commit: commit.map(|commit| commits::row(visit, commit, &[])),
        space: space.to_string(),
        key: key.to_string(),
        frame,
    };
    Ok(page.html())
}

/// A value as text, laid out where it is JSON; `None` where it is none, or too long.
pub(super) fn laid_out(content_type: &str, bytes: &[u8]) -> Option<String> {
    if bytes.len() > SHOWN_BYTES_MAX {
        return None;
    }
    let text = core::str::from_utf8(bytes).ok()?;
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
    let laid_out = content_type.contains("json") && is_json();
    Some(if laid_out { pretty::pretty(text) } else { text.to_owned() })
}

/// As [`laid_out`]; nothing where there is no version.
fn text_of(version: Option<&Version>) -> Option<String> {
    let Some(version) = version else {
        return Some(String::new());
    };
    laid_out(version.content_type.as_str(), &version.bytes)
}

fn compared(
    at: Timestamp,
    other: Option<&Version>,
    frame: &Frame,
    shown: Option<&Version>,
) -> Compared {
    // Whichever is the earlier one stands first.
    let (from, to, before, after) = if at <= frame.shown {
        (at, frame.shown, other, shown)
    } else {
        (frame.shown, at, shown, other)
    };
    let texts = text_of(before).zip(text_of(after));
    let lines = texts.map(|(before, after)| line_diff::lines(&before, &after));
    Compared { from, to, lines }
}

fn held(version: Option<&Version>) -> Held {
    let Some(version) = version else {
        return Held::Absent;
    };
    let content_type = version.content_type.as_str().to_owned();
    let bytes = version.bytes.len() as u64;
    let hash = short_hash(version.hash.as_bytes());
    if let Some(text) = text_of(Some(version)) {
        return Held::Text { text, cut: 0, content_type, bytes, hash };
    }
    let head = version.bytes.get(..SHOWN_BYTES_MAX).unwrap_or(&version.bytes);
    let readable = match core::str::from_utf8(head) {
        Ok(text) => text,
        // The cut may lie within a character.
        Err(error) if error.error_len().is_none() && version.bytes.len() > head.len() => {
            let whole = head.get(..error.valid_up_to()).unwrap_or_default();
            core::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return Held::Bytes { content_type, bytes, hash },
    };
    let cut = bytes - readable.len() as u64;
    Held::Text { text: readable.to_owned(), cut, content_type, bytes, hash }
}

/// A page of the keys that hold something else in `later` than in `before`.
///
/// Where little was written in between, the log says which keys to look at, so that the answer
/// takes no longer in a large space than in a small one. Else they are found by a walk, which has
/// not far to go.
fn differing(
    store: &Store,
    space: &SpaceName,
    before: &View,
    later: &View,
    after: Option<&Key>,
) -> Result<DiffPage, Refusal> {
    let (from, to) = (before.as_of(), later.as_of());
    let Some(keys) = written_between(store, space, from, to)? else {
        let (from, to) = (AsOf::Beyond(from), AsOf::Beyond(to));
        return Ok(store.diff(space, from, to, after, CONSOLE_ROWS)?);
    };
    let mut page = DiffPage { entries: Vec::new(), erased: Vec::new(), next: None };
    let mut last = None;
    for key in keys.into_iter().filter(|key| after.is_none_or(|after| key > after)) {
        let content = |view: &View| {
            let version = view.get(space, &key)?.value;
            Ok::<_, asof_store::Error>(version.map(|version| Content {
                hash: version.hash,
                content_type: version.content_type,
                bytes: version.bytes.len() as u64,
            }))
        };
        let held = content(before).and_then(|before| Ok((before, content(later)?)));
        if held.as_ref().is_ok_and(|(before, after)| before == after) {
            continue;
        }
        if page.entries.len() + page.erased.len() == CONSOLE_ROWS {
            page.next = last;
            break;
        }
        last = Some(key.clone());
        match held {
            Ok((before, after)) => page.entries.push(DiffEntry { key, before, after }),
            Err(error) if error.kind() == ErrorKind::Erased => page.erased.push(key),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(page)
}

/// The keys of `space` written after `from` up to `to`, in order; `None` where they are many, or
/// the log does not reach back so far.
fn written_between(
    store: &Store,
    space: &SpaceName,
    from: Timestamp,
    to: Timestamp,
) -> Result<Option<BTreeSet<Key>>, Refusal> {
    if to < from {
        return Err(Refusal::invalid(format!("{to} is before {from}")));
    }
    let after = Cursor::after_snapshot(from, 0);
    let range = LogRange { after, spaces: Some(vec![space.clone()]), limit: DIFF_PAGE_COMMITS };
    if store.log(&LogRange { limit: 1, ..range.clone() }).is_err() {
        return Ok(None);
    }
    let (mut keys, mut before) = (BTreeSet::new(), Cursor::after_snapshot(to, 0));
    for _ in 0..DIFF_PAGES_MAX {
        let page = store.log_back(before, &range)?;
        let writes = page.commits.into_iter().flat_map(|commit| commit.writes);
        keys.extend(writes.filter(|write| write.space == *space).map(|write| write.key));
        match page.next {
            _ if keys.len() > DIFF_KEYS_MAX => return Ok(None),
            None => return Ok(Some(keys)),
            Some(next) => before = next,
        }
    }
    Ok(None)
}

pub(super) async fn diff(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    let from = frame.params.iter().find(|(name, _)| *name == "from");
    let from = from.map(|(_, text)| moment("from", text)).transpose()?;
    let earlier = from.unwrap_or(frame.shown);
    // Those that were there: others are no part of what is shown.
    let was_live =
        |state: &SpaceState| matches!(state, SpaceState::Live { since } if *since <= frame.shown);
    let all = visit.app.store.spaces().into_iter();
    let seen: Vec<String> = all
        .filter(|space| visit.caller.covers(&space.name) && was_live(&space.state))
        .map(|space| space.name.to_string())
        .collect();
    let spaces = seen.iter().map(|name| {
        let mut frame = frame.clone();
        frame.params.retain(|(name, _)| *name != "after");
        (name.clone(), frame.with("space", name))
    });
    let spaces: Vec<_> = spaces.collect();
    let Some(name) = visit.fields.text("space").or(seen.first().map(String::as_str)) else {
        let page = Diff {
            from: earlier,
            spaces,
            space: None,
            rows: Vec::new(),
            next: None,
            acts: Acts::Hidden,
            frame,
        };
        return Ok(page.html());
    };
    let space = SpaceName::new(name)?;
    crate::access::check_role(&visit.caller, super::visit::route(RouteId::Diff), Some(&space))?;
    let (before, later) = (visit.view_at(&frame, Some(earlier))?, visit.view(&frame)?);
    let after = visit.fields.text("after").map(Key::new).transpose()?;
    let asked = space.clone();
    let (found, erased, next) = visit
        .app
        .walk(move |store| {
            let page = differing(store, &asked, &before, &later, after.as_ref())?;
            let mut rows = Vec::with_capacity(page.entries.len());
            for entry in page.entries {
                let glance = |view: &View, content: Option<&Content>| match content {
                    None => Ok(None),
                    Some(content) => {
                        let excerpt = excerpt(view, &asked, &entry.key, content)?;
                        let size = || asof_console::text::bytes(content.bytes);
                        Ok::<_, Refusal>(Some(excerpt.unwrap_or_else(size)))
                    }
                };
                rows.push((
                    glance(&before, entry.before.as_ref())?,
                    glance(&later, entry.after.as_ref())?,
                    entry.key,
                ));
            }
            Ok((rows, page.erased, page.next))
        })
        .await?;
    let of_key = Frame {
        page: Page::Key,
        params: vec![("space", space.to_string()), ("with", earlier.as_micros().to_string())],
        ..frame.clone()
    };
    let rows = found.into_iter().map(|(before, after, key)| DiffRow {
        kind: match (&before, &after) {
            (None, _) => "new",
            (_, None) => "gone",
            _ => "changed",
        },
        url: of_key.with("key", key.as_str()),
        key: key.to_string(),
        before,
        after,
    });
    let erased = erased.into_iter().map(|key| DiffRow {
        kind: "erased",
        url: of_key.with("key", key.as_str()),
        key: key.to_string(),
        before: None,
        after: None,
    });
    let page = Diff {
        from: earlier,
        rows: rows.chain(erased).collect(),
        next: next.map(|key| frame.with("after", key.as_str())),
        space: Some(space.to_string()),
        spaces,
        acts: visit.acts(RouteId::Revert),
        frame,
    };
    Ok(page.html())
}
