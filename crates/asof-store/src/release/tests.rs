use asof_time::{Sequence, Timestamp};

use super::*;
use crate::codec::releases;

fn commit(n: u64) -> Sequence {
    Sequence::new(n).unwrap()
}

fn every_state() -> Vec<ReleaseState> {
    let at = Timestamp::from_micros(7).unwrap();
    let approved = || {
        let draft = Draft::new(Approving::Needed);
        draft.approved("eve", &["ada".to_owned()], at).unwrap()
    };
    let scheduled = || approved().ready().unwrap().scheduled(commit(3));
    vec![
        ReleaseState::Draft(Draft::new(Approving::NotNeeded)),
        ReleaseState::Draft(Draft::new(Approving::Needed)),
        ReleaseState::Draft(approved()),
        ReleaseState::Scheduled(scheduled()),
        ReleaseState::Live(scheduled().takes_effect()),
        ReleaseState::Cancelled(approved().cancelled()),
        ReleaseState::Cancelled(scheduled().cancelled()),
        ReleaseState::RolledBack(scheduled().takes_effect().rolled_back(commit(4), at)),
    ]
}

#[test]
fn a_release_reads_back_as_it_was_written() {
    let at = Timestamp::from_micros(9).unwrap();
    for state in every_state() {
        let by = Actor { name: "ada".into(), reason: "spring".into() };
        let release = Release {
            name: "spring".into(),
            created: at,
            plan: Plan {
                at,
                message: "prices".into(),
                keys: Keys::Alone,
                writes: 2,
                value_bytes: 5,
                planners: vec!["ada".into(), "bob".into()],
            },
            state,
            events: vec![ReleaseEvent {
                at,
                by,
                action: ControlAction::ReleasePlanned,
                detail: "2 writes".into(),
            }],
        };
        let row = releases::encode(&release);
        assert_eq!(releases::decode(&row).unwrap(), release);
        for cut in 0..row.len() {
            assert!(releases::decode(&row[..cut]).is_err(), "{cut}");
        }
    }
}

#[test]
fn time_makes_live_what_is_scheduled_and_nothing_else() {
    for state in every_state() {
        let was = state.as_str();
        let is = state.time_has_come().as_str();
        assert_eq!(is, if was == "scheduled" { "live" } else { was });
    }
}

#[test]
fn names_are_one_segment_of_a_path() {
    for good in ["spring", "prices 2027", "ключ", &"x".repeat(128)] {
        check_name(good).unwrap();
    }
    for bad in ["", "a/b", "a\nb", &"x".repeat(129)] {
        assert!(check_name(bad).is_err(), "{bad:?}");
    }
}
