//! The binary as people and scripts meet it: each command against a folder and against a server,
//! with its exit code, its output and what it says where something is wrong.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

mod architecture;
mod commands;
mod demo;
mod edge;
mod edge_admin;
mod erase;
mod export;
mod harness;
mod help;
mod import;
mod incident;
mod operate;
mod origin;
mod otlp;
mod outages;
mod refusals;
mod release;
mod run;
mod scripts;
mod serve;
mod shop;
mod timed;
mod webhook;
