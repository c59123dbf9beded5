use super::*;

fn range(from: &str, to: Bound<&str>) -> What {
    let to = match to {
        Bound::Excluded(key) => Bound::Excluded(key.into()),
        Bound::Included(_) | Bound::Unbounded => Bound::Unbounded,
    };
    What::Range(KeyRange { from: from.into(), to })
}

#[test]
fn reads_are_known_by_what_they_reach() {
    let read = |path, query| Read::of(path, query).map(|read| (read.space, read.what));
    let key = |space: &str, key: &str| Some((space.to_owned(), What::Key(key.to_owned())));
    assert_eq!(read("/v1/spaces/repo/keys/src/a%20b", ""), key("repo", "src/a b"));
    assert_eq!(
        read("/v1/spaces/repo/keys", "prefix=src%2F&limit=10"),
        Some(("repo".to_owned(), range("src/", Bound::Excluded("src0"))))
    );
    assert_eq!(
        read("/v1/spaces/repo/keys", "after=b"),
        Some(("repo".to_owned(), range("b", Bound::Unbounded)))
    );
}

#[test]
fn a_read_with_a_moment_or_a_preview_of_its_own_is_another_question() {
    for query in ["as_of=3", "preview=true", "epoch=1", "prefix=a&as_of=3", "unheard=1"] {
        assert_eq!(Read::of("/v1/spaces/repo/keys", query), None, "{query}");
        assert_eq!(Read::of("/v1/spaces/repo/keys/a", query), None, "{query}");
    }
    for path in ["/v1/time", "/v1/spaces/repo", "/v1/spaces/repo/diff", "/v1/spaces/repo/history/a"]
    {
        assert_eq!(Read::of(path, ""), None, "{path}");
    }
}

#[test]
fn the_end_of_a_prefix_is_behind_everything_in_it() {
    assert_eq!(successor("ab").as_deref(), Some("ac"));
    assert_eq!(successor(""), None);
    assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(successor("\u{10ffff}"), None);
    assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"));
}

#[test]
fn a_listing_says_nothing_of_time() {
    let page = br#"{"as_of":5,"from":1,"through":5,"next":null,
        "entries":[{"key":"a","from":1,"until":9,"effective":1,"commit":3,"hash":"x","bytes":2}]}"#;
    let other = br#"{"as_of":7,"from":1,"through":7,"next":null,
        "entries":[{"key":"a","from":1,"through":7,"effective":1,"commit":3,"hash":"x","bytes":2}]}"#;
    let expected = r#"{"entries":[{"bytes":2,"hash":"x","key":"a"}],"next":null}"#;
    assert_eq!(timeless(page).unwrap(), expected);
    assert_eq!(timeless(page), timeless(other));
}

#[test]
fn what_a_store_says_in_another_timeline_is_no_answer_at_the_moment_of_the_tree() {
    let (known, other) = (Epoch::from_random(1), Epoch::from_random(2));
    let says = |epoch: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(&wire::AS_OF_EPOCH, HeaderValue::from_str(epoch).unwrap());
        headers
    };
    assert!(is_of_another_epoch(Some(known), &says(&other.to_string())));
    assert!(!is_of_another_epoch(Some(known), &says(&known.to_string())));
    // Whoever says nothing of it may be any origin: what it says is passed on, and not kept.
    assert!(!is_of_another_epoch(Some(known), &HeaderMap::new()));
}
