//! Random operations against the oracle.

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
            run.world = run.world.reopen();
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
