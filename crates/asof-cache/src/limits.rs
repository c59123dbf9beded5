//! Every maximum of the cache, with its unit and its reason.

/// Most results of one call. A call that is asked at many scattered moments keeps its newest.
pub const FACTS_MAX: usize = 64;

/// Most inputs of one execution that are recorded: a page made of more is not worth verifying.
pub const INPUTS_MAX: usize = 16_384;

/// Most changes that the index remembers, over all spaces. One costs about 100 bytes.
pub const CHANGES_MAX_DEFAULT: usize = 1_000_000;

/// Most changed keys that one look at a range walks over before it says that it does not know.
pub const RANGE_STEPS_MAX: usize = 1_024;

/// Finished executions that are remembered, so that a call after the answer is noticed.
pub const FINISHED_MAX: usize = 65_536;

/// Executions that may run at once: each has a place in the table.
pub const RUNNING_MAX: usize = 65_536;

/// Most inputs that are looked at for the end of one result, however often the same lie below it
/// on different ways. A result whose end is not found stays known as far as it is.
pub const END_STEPS_MAX: usize = 2 * INPUTS_MAX;

/// How deep calls may be nested, in verification as in execution.
pub const DEPTH_MAX: usize = 64;

const _: () = assert!(FACTS_MAX >= 2, "a result and its successor must fit");
const _: () = assert!(RANGE_STEPS_MAX <= CHANGES_MAX_DEFAULT);
