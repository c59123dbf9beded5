//! What the sockets of a store and of an edge have in common: alarms that cost next to nothing, small
//! answers in one piece to clients who take them in time, and answers that are there already.
//!
//! It knows nothing of what is asked or answered, nor of the rest of Asof.

mod alarms;
mod soon;
mod stream;

pub use alarms::Alarms;
pub use soon::Soon;
pub use stream::Stream;
