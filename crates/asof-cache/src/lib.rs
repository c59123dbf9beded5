//! The pure heart of the edge: calls, results, traces, verification, coalescing.
//!
//! Everything here is a function of the request, what is held, and the moment. Nothing does I/O,
//! reads a clock or waits: a [`Serve`] says what is to be done next, and a shell does it.
//!
//! * A [`Call`] is what is asked, without when; its [`CallKey`] names it.
//! * A [`Fact`] is an answer, the interval over which it is true, and the trace of what was read
//!   to make it.
//! * The [`ChangeIndex`] knows what changed lately. A result that was true at a moment is true at
//!   a later one if nothing that it read changed in between; that is asked, never told.

pub mod limits;

mod abroad;
mod below;
mod cache;
mod call;
mod changes;
mod content;
mod entries;
mod entry;
mod executions;
mod fact;
mod flights;
mod outcome;
mod rules;
mod serve;
mod shared;
mod short;
mod space;
mod verify;
mod weight;

pub use abroad::Abroad;
pub use cache::{Cache, Figures, Settings, Since};
pub use call::{Call, CallKey, DeclaredHeader, NoDigest, RouteDigest};
pub use changes::{Begun, ChangeIndex, Fingerprint, KeyRange, Reach, Seen, SpaceId, StoreId};
pub use content::{Content, ContentHash};
pub use entry::Contradiction;
pub use executions::{Arrival, CallId, Hands, Observed, Slot, Start, TooMany};
pub use fact::{Fact, Input, Trace, always};
pub use flights::{Landed, Line, Ticket};
pub use outcome::{Bypass, Outcome, Unstorable};
pub use rules::{Rule, Rules};
pub use serve::{Action, Execute, Serve};
