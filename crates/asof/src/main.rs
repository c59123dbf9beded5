//! Placeholder.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the command that imports is not written yet")
)]
mod import;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the command that shows a demo is not written yet")
)]
mod testrepo;

fn main() {}
