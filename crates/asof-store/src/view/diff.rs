//! What differs in a space between two moments.

use core::ops::ControlFlow;

use super::walk::{Seen, Walk};
use super::{AsOf, DiffEntry, DiffPage, View, WithValues, check_limit};
use crate::codec::keys::{self, VersionsOf};
use crate::publish::Published;
use crate::{Error, Key, Result, SpaceName};

/// Keys looked at for one page before it ends.
const PAGE_KEYS_LOOKED_AT: usize = 100_000;

pub(crate) fn diff(
    published: &Published,
    space: &SpaceName,
    from: AsOf,
    to: AsOf,
    after: Option<&Key>,
    limit: usize,
) -> Result<DiffPage> {
    check_limit(limit)?;
    let earlier = View::open(published, from)?;
    let later = View::open(published, to)?;
    let (from, to) = (earlier.as_of, later.as_of);
    if to < from {
        return Err(Error::invalid(format!("to={to} is before from={from}")));
    }
    earlier.ground(space)?;
    let ground = later.ground(space)?;
    let start = match after {
        Some(after) => VersionsOf::new(ground.id, after).end(),
        None => keys::versions_from(ground.id, ""),
    };
    let rows = later.scene.rows.as_ref();
    // Nothing after the later moment matters here, so nothing is looked for.
    let walk = Walk { rows, moments: &[to, from], through: to, values: WithValues::Omit };
    let mut page = DiffPage { entries: Vec::new(), next: None };
    let mut looked_at = 0;
    walk.run(start, &keys::versions_end(ground.id), &mut |mut seen: Seen| {
        looked_at += 1;
        let after = seen.at(0).and_then(|found| found.content);
        let before = seen.at(1).and_then(|found| found.content);
        if before == after {
            if looked_at < PAGE_KEYS_LOOKED_AT {
                return ControlFlow::Continue(());
            }
            page.next = Some(seen.key);
            return ControlFlow::Break(());
        }
        if page.entries.len() == limit {
            page.next = page.entries.last().map(|last| last.key.clone());
            return ControlFlow::Break(());
        }
        page.entries.push(DiffEntry { key: seen.key, before, after });
        ControlFlow::Continue(())
    })?;
    Ok(page)
}
