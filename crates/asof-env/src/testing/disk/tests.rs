use super::*;

#[test]
fn what_was_synced_survives_and_a_seed_repeats_a_crash() {
    let disk = SimDisk::new();
    disk.write_at(0, &[1; 2048]).unwrap();
    disk.sync().unwrap();
    disk.write_at(0, &[2; 2048]).unwrap();
    disk.set_len(1024).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..2_000 {
        let image = disk.after_crash(seed).bytes();
        assert_eq!(image, disk.after_crash(seed).bytes());
        for sector in image.chunks(SECTOR) {
            assert!(sector.iter().all(|&byte| byte == sector[0] && byte != 0));
        }
        seen.insert((image.len(), image.iter().step_by(SECTOR).copied().collect::<Vec<_>>()));
    }
    // Every choice of sectors of the long image and of the short one.
    assert_eq!(seen.len(), 16 + 4);
}

#[test]
fn power_is_lost_within_the_named_operation() {
    let disk = SimDisk::new();
    disk.lose_power_at(1);
    disk.write_at(0, b"one").unwrap();
    assert!(disk.sync().is_err());
    assert!(disk.is_down());
    assert!(disk.len().is_err() && disk.write_at(0, b"two").is_err());
    assert_eq!(disk.operations(), 2);
}

#[test]
fn a_failed_sync_is_not_made_good_by_the_next() {
    let disk = SimDisk::new();
    disk.fail_sync_at(0);
    disk.write_at(0, b"lost").unwrap();
    assert!(disk.sync().is_err());
    disk.sync().unwrap();
    assert_eq!(disk.bytes(), b"lost");
    assert!(disk.after_crash(1).bytes().is_empty());
    disk.fail_write_at(1);
    assert_eq!(disk.write_at(0, b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.write_at(0, b"y").unwrap();
}
