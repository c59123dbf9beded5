use super::*;

fn extents(ranges: &[(u64, u64)]) -> Extents {
    let mut all = Extents::default();
    for &(start, end) in ranges {
        all.insert(start, end);
    }
    all
}

#[test]
fn touching_and_overlapping_ranges_become_one() {
    let all = extents(&[(10, 20), (30, 40), (20, 25), (24, 31), (50, 50)]);
    assert_eq!(all.iter().collect::<Vec<_>>(), [(10, 40)]);
    let all = extents(&[(10, 20), (12, 14), (0, 5)]);
    assert_eq!(all.iter().collect::<Vec<_>>(), [(0, 5), (10, 20)]);
}

#[test]
fn memory_is_bounded_and_nothing_is_forgotten() {
    let mut all = Extents::default();
    for at in 0..10_000_u64 {
        // A permutation of 0..10,007, so that ranges arrive out of order.
        let start = (at * 7_919 % 10_007) * 10;
        all.insert(start, start + 3);
        assert!(all.iter().count() <= EXTENTS_MAX);
    }
    for at in 0..10_000_u64 {
        let start = (at * 7_919 % 10_007) * 10;
        assert!(all.iter().any(|(from, until)| from <= start && start + 3 <= until));
    }
}
