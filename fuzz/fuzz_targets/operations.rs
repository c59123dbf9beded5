//! Operations on a store that bytes choose, against the oracle of the model tests.
#![no_main]
#![allow(dead_code, reason = "the tests have more uses for these modules")]

#[path = "../../crates/asof-store/tests/it/check.rs"]
mod check;
#[path = "../../crates/asof-store/tests/it/dice.rs"]
mod dice;
#[path = "../../crates/asof-store/tests/it/model.rs"]
mod model;
#[path = "../../crates/asof-store/tests/it/oracle.rs"]
mod oracle;
#[path = "../../crates/asof-store/tests/it/record.rs"]
mod record;
#[path = "../../crates/asof-store/tests/it/run.rs"]
mod run;
#[path = "../../crates/asof-store/tests/it/steps.rs"]
mod steps;
#[path = "../../crates/asof-store/tests/it/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| model::bytes_story(data.to_vec()));
