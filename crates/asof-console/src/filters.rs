//! How templates word what they are given.

#![expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::unused_self,
    clippy::unnecessary_wraps,
    clippy::trivially_copy_pass_by_ref,
    reason = "the macro makes each filter a type with the methods that templates call"
)]

use core::fmt::Display;

use asof_time::Timestamp;

use crate::text;

/// A text of one line that somebody else chose.
#[askama::filter_fn]
pub(crate) fn shown(value: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(text::Shown::line(&value.to_string()).to_string())
}

/// A text of several lines that somebody else chose.
#[askama::filter_fn]
pub(crate) fn lines(value: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(text::Shown::lines(&value.to_string()).to_string())
}

/// Bytes with a unit.
#[askama::filter_fn]
pub(crate) fn size(value: &u64, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(text::bytes(*value))
}

/// A number in groups.
#[askama::filter_fn]
pub(crate) fn number(value: &u64, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(text::count(*value))
}

/// The time of the day of a moment, to the second.
#[askama::filter_fn]
pub(crate) fn clock(value: &Timestamp, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(value.to_string().get(11..19).unwrap_or_default().to_owned())
}
