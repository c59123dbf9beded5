//! The rules of time and of the store, each with the short history that breaks a store without it.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod clock;
mod commit;
pub(crate) mod erase;
mod house;
mod import;
mod keep;
mod operate;
mod pages;
mod pending;
mod publish;
pub(crate) mod release;
mod revert;
