//! Random operations against the oracle.

use asof_env::Random as _;
use asof_env::testing::SeededRandom;

use crate::dice::{Dice, for_each_seed};
use crate::run::{Run, WithRetention};

const STEPS: usize = 150;

pub(crate) fn story(dice: Dice, retention: WithRetention, steps: usize) {
    let mut run = Run::new(dice, retention);
    for step in 0..steps {
        run.step();
        if step % 5 == 0 {
            run.check();
        }
        if step % 40 == 39 {
            run.verify();
            run.recorder.ask_again(&run.world.store);
            run = run.reopen();
        }
    }
    run.verify();
    run.recorder.ask_again(&run.world.store);
}

#[test]
fn a_store_answers_as_the_oracle_does() {
    for_each_seed("a_store_answers_as_the_oracle_does", |seed| {
        story(Dice::seed(seed), WithRetention::No, STEPS);
    });
}

#[test]
fn a_store_that_forgets_answers_as_the_oracle_does_or_says_that_it_forgot() {
    let name = "a_store_that_forgets_answers_as_the_oracle_does_or_says_that_it_forgot";
    for_each_seed(name, |seed| {
        story(Dice::seed(seed), WithRetention::Yes, STEPS);
    });
}

/// What the fuzz target `operations` does, with bytes that nobody chose.
#[test]
fn any_bytes_are_a_run_that_the_oracle_agrees_with() {
    for_each_seed("any_bytes_are_a_run_that_the_oracle_agrees_with", |seed| {
        let mut bytes = vec![0; 600];
        SeededRandom::new(seed).fill(&mut bytes);
        bytes_story(bytes);
    });
}

pub(crate) fn bytes_story(bytes: Vec<u8>) {
    let retention = match bytes.first() {
        Some(first) if first % 2 == 1 => WithRetention::Yes,
        _ => WithRetention::No,
    };
    let steps = (bytes.len() / 12).min(60);
    story(Dice::Bytes(bytes.into_iter()), retention, steps);
}
