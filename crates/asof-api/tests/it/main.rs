//! The wire as other programs see it.

mod bodies;
mod openapi;
mod text;
