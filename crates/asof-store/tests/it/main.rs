//! The store from outside.

mod backup;
mod basics;
mod check;
mod crash;
mod damage;
mod dice;
mod engine;
mod feed;
mod fixture;
mod machine;
mod model;
mod oracle;
mod record;
mod refusals;
mod replay;
mod rules;
mod run;
mod steps;
mod world;
