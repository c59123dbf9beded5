use super::*;

#[test]
fn reads_what_it_wrote_and_extends_with_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let file = OsFile::open(&path, WhenMissing::Create).unwrap();
    assert!(file.is_empty().unwrap());
    file.write_at(5, b"hello").unwrap();
    file.set_len(20).unwrap();
    file.sync().unwrap();
    let mut all = [1; 20];
    file.read_at(0, &mut all).unwrap();
    assert_eq!(&all, b"\0\0\0\0\0hello\0\0\0\0\0\0\0\0\0\0");
    let past = file.read_at(16, &mut [0; 5]).unwrap_err();
    assert_eq!(past.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_second_open_is_refused_until_the_first_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let missing = OsFile::open(&path, WhenMissing::Refuse).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    let first = OsFile::open(&path, WhenMissing::Create).unwrap();
    let refused = OsFile::open(&path, WhenMissing::Create).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
    assert!(refused.to_string().contains("another process has this store open"));
    drop(first);
    OsFile::open(&path, WhenMissing::Refuse).unwrap();
}

#[test]
fn after_a_failed_sync_what_was_written_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let file = OsFile::open(&path, WhenMissing::Create).unwrap();
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3 * REWRITE_BYTES / 2).collect();
    file.write_at(100, &bytes).unwrap();
    // Cut shorter since: the rewriting must not bring the tail back.
    file.set_len(100 + bytes.len() as u64 - 10).unwrap();
    file.unsynced().sync_failed = true;
    file.sync().unwrap();
    assert_eq!(file.unsynced().extents, Extents::default());
    assert_eq!(file.len().unwrap(), 100 + bytes.len() as u64 - 10);
    let mut back = vec![0; bytes.len() - 10];
    file.read_at(100, &mut back).unwrap();
    assert_eq!(back, bytes[..bytes.len() - 10]);
}
