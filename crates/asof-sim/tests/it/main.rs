//! Runs of the whole, with all rules and without any one of them.

use asof_sim::{OF_CACHE, Off, Seam, Tally, run};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn every_answer_of_the_whole_is_what_a_run_without_a_cache_gives() {
    if let Some(seed) = number("ASOF_TEST_SEED") {
        run(seed, None).unwrap_or_else(|wrong| panic!("{wrong}"));
        return;
    }
    let mut total = Tally::default();
    for seed in 0..number("ASOF_TEST_SEEDS").unwrap_or(60) {
        match run(seed, None) {
            Ok(tally) => {
                total.answered += tally.answered;
                total.refused += tally.refused;
                total.unjudged += tally.unjudged;
                total.executed += tally.executed;
            }
            Err(wrong) => panic!("{wrong}\nreplay: cargo run -p asof-sim -- --seed {seed}"),
        }
    }
    println!("{total:?}");
    assert!(total.answered > total.refused, "most of life is calm: {total:?}");
    assert!(total.answered > total.unjudged * 4, "too little is judged: {total:?}");
}

#[test]
fn without_any_one_rule_of_the_seam_some_run_is_wrong() {
    let seams = Seam::ALL.map(Off::Seam);
    let rules = OF_CACHE.map(Off::Cache);
    let mut unnoticed = Vec::new();
    for off in seams.into_iter().chain(rules) {
        let seeds = number("ASOF_TEST_SEEDS").unwrap_or(400);
        let broken = (0..seeds).find_map(|seed| Some((seed, run(seed, Some(off)).err()?)));
        match broken {
            Some((seed, wrong)) => println!("{off:?}: seed {seed}: {}", wrong.what),
            None => unnoticed.push(off),
        }
    }
    assert!(unnoticed.is_empty(), "nothing notices that these do not hold: {unnoticed:?}");
}
