//! Names that a configuration gives.

use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use crate::limits::NAME_LENGTH_MAX;

/// Names that would be taken for this machine.
const RESERVED: [&str; 3] = ["localhost", "-", "."];

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`, the first a letter or a digit. Cheap to clone.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                check(text).map(|()| Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// The name of a service.
    ServiceName;
    /// The name under which the edge knows a store.
    StoreName;
    /// The name of a state value.
    StateName;
    /// The name under which the edge knows another edge.
    PeerName;
}

fn check(text: &str) -> Result<(), String> {
    let letters =
        text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'));
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !letters || !first || text.len() > NAME_LENGTH_MAX || RESERVED.contains(&text) {
        return Err(format!(
            "`{}` is no name: write 1 to {NAME_LENGTH_MAX} of a-z, 0-9, `-`, `_` and `.`, the \
             first a letter or a digit, and not `localhost`",
            text.escape_debug()
        ));
    }
    Ok(())
}
