//! The fuzz targets' bodies, with the corpus they start from and what proptest makes up.

use std::path::Path;

use proptest::prelude::*;

use super::{backups, codecs, texts, version_keys};

/// Runs a body over the committed corpus of its target.
fn corpus(target: &str, body: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut seen = 0;
    for file in std::fs::read_dir(dir).unwrap() {
        body(&std::fs::read(file.unwrap().path()).unwrap());
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn every_corpus_passes() {
    corpus("codecs", codecs);
    corpus("version_keys", version_keys);
    corpus("texts", texts);
    corpus("backups", backups);
}

fn keyish() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0), Just(1), Just(2), Just(b'a'), any::<u8>()];
    prop::collection::vec(byte, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_decode_or_are_refused(kind: u8, data in prop::collection::vec(0..40_u8, 0..80)) {
        let mut row = vec![kind];
        row.extend(data);
        codecs(&row);
    }

    #[test]
    fn rows_of_versions_are_in_the_order_of_keys_newest_first(data in keyish()) {
        version_keys(&data);
    }

    #[test]
    fn texts_come_back(text in "[0-9+.TZ:a-f-]{0,40}|[0-9]{1,16}\\.[0-9]{1,16}\\.[0-9]{1,20}") {
        texts(text.as_bytes());
    }

    #[test]
    fn any_rows_go_through_a_backup(data in prop::collection::vec(any::<u8>(), 0..400)) {
        backups(&data);
    }
}
