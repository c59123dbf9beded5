//! Every rule of the cache with the short history that breaks an edge without it.

mod abroad;
mod coalescing;
mod index;
mod keys;
mod lookup;
mod recording;
mod story;
mod switched_off;
mod verification;
