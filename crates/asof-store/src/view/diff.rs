//! What differs in a space between two moments.

use core::ops::ControlFlow;

use super::walk::{Holding, Seen, Walk};
use super::{AsOf, Content, DiffEntry, DiffPage, View, WithValues, check_limit};
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
    let mut page = DiffPage { entries: Vec::new(), erased: Vec::new(), next: None };
    let (mut looked_at, mut last) = (0, None);
    walk.run(start, &keys::versions_end(ground.id), &mut |mut seen: Seen| {
        looked_at += 1;
        let states = held(&mut seen, 0).and_then(|after| Ok((held(&mut seen, 1)?, after)));
        if states.as_ref().is_ok_and(|(before, after)| before == after) {
            if looked_at < PAGE_KEYS_LOOKED_AT {
                return ControlFlow::Continue(());
            }
            page.next = Some(seen.key);
            return ControlFlow::Break(());
        }
        if page.entries.len() + page.erased.len() == limit {
            page.next = last.take();
            return ControlFlow::Break(());
        }
        last = Some(seen.key.clone());
        match states {
            Ok((before, after)) => page.entries.push(DiffEntry { key: seen.key, before, after }),
            Err(IsErased) => page.erased.push(seen.key),
        }
        ControlFlow::Continue(())
    })?;
    Ok(page)
}

/// The key was erased: what it held at any moment is not known.
struct IsErased;

fn held(seen: &mut Seen, moment: usize) -> Result<Option<Content>, IsErased> {
    match seen.at(moment).map(|found| found.content) {
        Some(Holding::Value(content)) => Ok(Some(content)),
        Some(Holding::Erased) => Err(IsErased),
        Some(Holding::Nothing) | None => Ok(None),
    }
}
