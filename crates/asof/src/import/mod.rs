//! Filling a store from a history that exists elsewhere.
//!
//! A source yields [`SourceCommit`](source::SourceCommit)s, oldest first; this module knows
//! nothing of stores or servers, so that whoever writes them decides where to.

pub(crate) mod content_type;
pub(crate) mod git;
pub(crate) mod source;
