//! The service as its clients see it.

mod access;
mod config;
mod errors;
mod feed;
mod limits;
mod memento;
mod reads;
mod serve;
mod service;
mod writes;
