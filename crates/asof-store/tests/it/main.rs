//! The store from outside.

mod basics;
mod check;
mod crash;
mod dice;
mod engine;
mod feed;
mod model;
mod oracle;
mod record;
mod replay;
mod rules;
mod run;
mod steps;
mod world;
