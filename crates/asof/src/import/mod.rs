//! Filling a store from a history that exists elsewhere.
//!
//! A source yields [`Batch`](batch::Batch)es of commits, oldest first, as the text in which they
//! travel. The [`pipeline`] reads them in one thread while the [`Sink`](sink::Sink) sends them in
//! another. The sink knows the life of a space (importing, then live) and nothing of sources; the
//! sources know nothing of stores. What goes into a live space is put by ([`spool`]) until the source
//! has ended and it is known what it would take away ([`shrink`]).

pub(crate) mod batch;
pub(crate) mod content_type;
pub(crate) mod git;
pub(crate) mod git_batches;
pub(crate) mod git_resume;
pub(crate) mod jsonl;
pub(crate) mod meter;
pub(crate) mod pipeline;
pub(crate) mod refusal;
pub(crate) mod shrink;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod spool;
pub(crate) mod stop;
pub(crate) mod summary;

#[cfg(test)]
mod tests;
