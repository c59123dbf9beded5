//! What a page of commits holds: so much that a reader can hold it, and one commit at least.

use asof_store::{CommitRequest, Cursor, FeedItem, LogRange};
use asof_time::Timestamp;

use crate::run::SECOND;
use crate::steps::Stepped;
use crate::world::{START, at, delete, later, now, put};

/// A commit of this many writes.
fn of(writes: usize) -> CommitRequest {
    now((0..writes).map(|n| delete("s", &n.to_string())).collect())
}

fn log_pages(world: &Stepped) -> Vec<Vec<u64>> {
    let (mut pages, mut after) = (Vec::new(), Some(Cursor::START));
    while let Some(from) = after {
        let range = LogRange { after: from, spaces: None, limit: 1_000 };
        let page = world.store.log(&range).unwrap();
        pages.push(page.commits.iter().map(|commit| commit.id.as_u64()).collect());
        after = page.next;
    }
    pages
}

fn pages_back(world: &Stepped) -> Vec<Vec<u64>> {
    let last = Cursor::after_snapshot(Timestamp::MAX, 0);
    let (mut pages, mut before) = (Vec::new(), Some(last));
    while let Some(from) = before {
        let range = LogRange { after: Cursor::START, spaces: None, limit: 1_000 };
        let page = world.store.log_back(from, &range).unwrap();
        pages.push(page.commits.iter().map(|commit| commit.id.as_u64()).collect());
        before = page.next;
    }
    pages
}

fn feed_pages(world: &Stepped) -> Vec<Vec<u64>> {
    let (mut pages, mut after) = (Vec::new(), Cursor::START);
    loop {
        let page = world.store.feed(after, None, 1_000).unwrap();
        assert!(page.more == (page.through < world.closed()));
        let commits = page.items.into_iter().filter_map(|(cursor, item)| match item {
            FeedItem::Commit(commit) => {
                assert_eq!((cursor.effective, cursor.sequence), (commit.effective, commit.id));
                Some(commit.id.as_u64())
            }
            FeedItem::Control(_) => None,
        });
        pages.push(commits.collect());
        after = page.cursor;
        if !page.more {
            return pages;
        }
    }
}

#[test]
fn a_page_of_large_commits_ends_early_and_a_single_one_always_fits() {
    let world = Stepped::new(at(START));
    // The opening of the space is the first commit.
    for writes in [9_000, 9_000, 9_000, 25_000, 1, 1] {
        world.store.commit(of(writes)).unwrap();
    }
    let pages: [&[u64]; 4] = [&[1, 2, 3], &[4], &[5], &[6, 7]];
    assert_eq!(log_pages(&world), pages);
    assert_eq!(feed_pages(&world), pages);
    let back: [&[u64]; 3] = [&[7, 6], &[5], &[4, 3]];
    let found = pages_back(&world);
    assert_eq!(found.get(..3).unwrap(), back);
    assert_eq!(found.get(3..).unwrap(), [&[2, 1]]);
}

#[test]
fn a_page_ends_early_where_commits_have_much_to_say() {
    let world = Stepped::new(at(START));
    let said = "m".repeat(asof_time::limits::MESSAGE_BYTES_MAX);
    for n in 0..300_u32 {
        let soon = world.wall().saturating_add(SECOND + n * SECOND);
        let write = vec![put("s", "k", "v")];
        let request = CommitRequest { message: said.clone(), ..later(soon, write) };
        world.store.commit(request).unwrap();
    }
    let mut pending = Vec::new();
    let mut after = Some(Cursor::START);
    while let Some(from) = after {
        let page = world.store.pending(from, 1_000).unwrap();
        pending.push(page.commits.len());
        after = page.next;
    }
    assert_eq!(pending, [127, 127, 46], "a page holds 8 MiB");
    world.pass(400 * SECOND);
    let sizes: Vec<usize> = log_pages(&world).iter().map(Vec::len).collect();
    assert_eq!(sizes, [127, 127, 47], "with the opening of the space, which says it too");
}
