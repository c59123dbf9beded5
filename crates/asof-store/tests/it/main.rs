//! The store from outside.

mod basics;
mod check;
mod dice;
mod engine;
mod feed;
mod model;
mod oracle;
mod record;
mod replay;
mod run;
mod steps;
mod world;
