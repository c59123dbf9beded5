//! Tokens that the operator gave out: the edge knows their hashes.
//!
//! A file of lines, each the BLAKE3-256 of a token's whole text in hexadecimal, a name, and claims
//! as `NAME=VALUE`. What is behind a `#` is for people.

use std::collections::BTreeMap;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::Denied;

/// The tokens that are known.
#[derive(Debug)]
pub(crate) struct Tokens(Vec<Known>);

#[derive(Debug)]
struct Known {
    hash: [u8; 32],
    claims: BTreeMap<String, String>,
}

impl Tokens {
    /// Those of a file.
    ///
    /// # Errors
    ///
    /// Which line is none, and why. It never shows a hash.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut tokens: Vec<Known> = Vec::new();
        for (nth, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let known = known(line).map_err(|why| format!("line {nth}: {why}"))?;
            if tokens.iter().any(|other| other.hash == known.hash) {
                return Err(format!("line {nth}: the token is there twice"));
            }
            tokens.push(known);
        }
        Ok(Self(tokens))
    }

    /// What is said of the holder of a token. All are looked at, so that the time taken says
    /// nothing of where it is.
    pub(crate) fn claims(&self, token: &str) -> Result<BTreeMap<String, String>, Denied> {
        let hash = *blake3::hash(token.as_bytes()).as_bytes();
        let mut found = u64::MAX;
        for (index, known) in (0u64..).zip(&self.0) {
            let same: Choice = known.hash.ct_eq(&hash);
            found.conditional_assign(&index, same);
        }
        let known = usize::try_from(found).ok().and_then(|index| self.0.get(index));
        known
            .map(|known| known.claims.clone())
            .ok_or_else(|| Denied::invalid("the token is not known, or was taken back"))
    }
}

fn known(line: &str) -> Result<Known, String> {
    let mut words = line.split_whitespace();
    let hash = words.next().and_then(|word| blake3::Hash::from_hex(word).ok());
    let hash = hash.ok_or("it does not begin with 64 hexadecimal digits, the hash of a token")?;
    let name = words.next().filter(|name| !name.contains('='));
    let name = name.ok_or("behind the hash comes a name")?;
    let mut claims = BTreeMap::from([("name".to_owned(), name.to_owned())]);
    for word in words {
        let (claim, value) =
            word.split_once('=').ok_or_else(|| format!("`{word}` is not NAME=VALUE"))?;
        if claims.insert(claim.to_owned(), value.to_owned()).is_some() {
            return Err(format!("the claim `{claim}` is there twice"));
        }
    }
    Ok(Known { hash: *hash.as_bytes(), claims })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(token: &str) -> String {
        blake3::hash(token.as_bytes()).to_hex().to_string()
    }

    #[test]
    fn a_token_has_a_name_and_claims() {
        let file =
            format!("# people\n{} ann role=admin # since May\n\n{} bob\n", hash("a"), hash("b"));
        let tokens = Tokens::read(&file).expect("the file is good");
        let claims = tokens.claims("a").expect("it is known");
        assert_eq!(claims["name"], "ann");
        assert_eq!(claims["role"], "admin");
        assert!(tokens.claims("c").is_err());
        assert!(tokens.claims("").is_err());
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        for (line, part) in [("zz ann", "line 1"), ("role=admin", "hash"), ("", "")] {
            let read = Tokens::read(line);
            assert_eq!(read.is_ok(), line.is_empty(), "{line}");
            assert!(read.err().unwrap_or_default().contains(part));
        }
        let twice = format!("{0} ann\n{0} bob", hash("a"));
        assert!(Tokens::read(&twice).is_err_and(|why| why.contains("line 2")));
        assert!(Tokens::read(&format!("{} role=x", hash("a"))).is_err());
    }
}
