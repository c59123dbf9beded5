//! The wire: bodies, headers, errors and routes of the HTTP surface.
//!
//! Server and client are written against these types, and the OpenAPI document is generated
//! from them, so that the three cannot disagree. The crate knows nothing of sockets, of HTTP
//! servers, or of the store behind them.

pub mod body;
pub mod headers;
pub mod openapi;
pub mod routes;

mod coordinate;
pub mod error;
mod rfc3339;
mod session;
mod value;

pub use coordinate::{CommitId, Cursor, EpochId, Hash, Moment, ParseHashError};
pub use error::{ErrorName, ErrorStatus, Problem};
pub use rfc3339::Rfc3339;
pub use session::{ParseSessionTokenError, SessionToken};
pub use value::{BINARY, Base64, JSON, TEXT, ValueForm, ValueFormError, ValueInput, ValueOutput};
