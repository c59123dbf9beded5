//! Telling others of control actions, as Standard Webhooks has it.
//!
//! The control log is the queue: it is there already, in order, without gaps, and durable with the
//! action itself. A [`cursor`] says how far a webhook has been told and moves only after somebody
//! took the message, so a message may come twice and never fails to come. What is sent is made in
//! [`message`], how an answer is judged in [`judge`]: both are pure. [`hook`] is one webhook with its
//! secret and connection, [`teller`] the thread that goes through the log for it.

pub(crate) mod cursor;
pub(crate) mod hook;
pub(crate) mod judge;
pub(crate) mod message;
pub(crate) mod teller;
