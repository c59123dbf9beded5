//! How an edge stands: since when it runs, and how often it dropped results as wrong.

use core::fmt;
use core::str::FromStr;

/// As long as this is the same, what an edge answered is as good as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    /// Which edge.
    pub(crate) edge: u32,
    /// When it started, in microseconds.
    pub(crate) started: u64,
    /// How often it dropped results since then.
    pub(crate) drops: u64,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}.{}.{}", self.edge, self.started, self.drops)
    }
}

/// Says that a text is no standing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoStanding;

impl FromStr for Standing {
    type Err = NoStanding;

    fn from_str(text: &str) -> Result<Self, NoStanding> {
        let mut parts = text.split('.');
        let mut part = |radix| {
            let part = parts.next().filter(|part| !part.starts_with('+')).ok_or(NoStanding)?;
            u64::from_str_radix(part, radix).map_err(|_| NoStanding)
        };
        let edge = u32::try_from(part(16)?).map_err(|_| NoStanding)?;
        let standing = Self { edge, started: part(10)?, drops: part(10)? };
        // One form only, since it is the name of a space too.
        if parts.next().is_some() || standing.to_string() != text {
            return Err(NoStanding);
        }
        Ok(standing)
    }
}

#[cfg(test)]
mod tests {
    use super::{NoStanding, Standing};

    #[test]
    fn a_standing_has_one_text() {
        let standing = Standing { edge: 0x00ab, started: 7, drops: u64::MAX };
        assert_eq!(standing.to_string().parse(), Ok(standing));
        for wrong in ["", "ab.7.1", "000000ab.7", "000000ab.07.1", "000000ab.+7.1", "000000AB.7.1"]
        {
            assert_eq!(wrong.parse::<Standing>(), Err(NoStanding), "{wrong}");
        }
    }
}
