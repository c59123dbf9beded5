use super::*;

#[test]
fn the_first_pages_are_where_the_format_says() {
    assert_eq!(physical_len(0), 12_288);
    assert_eq!(physical_len(4_096), 12_288);
    assert_eq!(page_at(1), 12_288 + 4_096);
    assert_eq!(physical_len(2 * 4_096), 12_288 + 2 * 4_096);
    assert_eq!(page_at(512) + 4_096, seals_at(1));
    assert_eq!(page_at(513), seals_at(1) + 4_096);
    assert_eq!(physical_len(513 * 4_096), seals_at(1));
    assert_eq!(physical_len(514 * 4_096), seals_at(1) + 2 * 4_096);
}

#[test]
fn runs_end_where_a_group_ends() {
    let all: Vec<_> = runs(500, 1_100 * PAGE).collect();
    assert_eq!(all, [(500, 13), (513, 512), (1_025, 512), (1_537, 63)]);
    assert_eq!(runs(7, 0).count(), 0);
}

/// Files of this format are out there: these bytes never change.
#[test]
fn the_superblock_of_format_1_stays_as_it_is() {
    let block = superblock();
    assert_eq!(&block[..24], b"asof store\r\n\x1a\n\0\0\x01\0\0\0\x00\x10\0\0");
    assert!(is_blank(&block[24..504]));
    assert_eq!(superblock_format(&block), Some(1));
    assert_eq!(block[504..], SUPERBLOCK_1_CHECKSUM);
    assert_eq!(seal_of(9, &[5; PAGE]), SEAL_OF_FIVES);
    assert_eq!(blank_seal(9), BLANK_SEAL);
}

const SUPERBLOCK_1_CHECKSUM: [u8; 8] = [147, 210, 237, 138, 193, 156, 157, 6];
const SEAL_OF_FIVES: u64 = 14_324_494_722_888_402_956;
const BLANK_SEAL: u64 = 5_720_270_163_088_372_307;

#[test]
fn a_sector_comes_back_and_no_flipped_bit_goes_unseen() {
    let header = Header { bytes: [7; HEADER_BYTES], number: u64::MAX - 3, len: 1 << 52 };
    let sector = header.encode();
    assert_eq!(Header::decode(&sector), Some(header));
    for bit in 0..SECTOR * 8 {
        let mut flipped = sector;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::decode(&flipped), None);
    }
    assert_eq!(marked(&mark(12)), Some(12));
    assert_eq!(marked(&[0; SECTOR]), Some(0));
    assert_eq!(marked(&sector), None, "one kind of sector for another");
    assert_eq!(superblock_format(&mark(1)), None);
}
