//! The store from outside.

mod basics;
mod check;
mod dice;
mod engine;
mod model;
mod oracle;
mod record;
mod run;
mod steps;
mod world;
