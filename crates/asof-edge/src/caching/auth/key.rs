//! The key by which the signatures of JSON web tokens are checked. Its kind fixes the algorithm:
//! a token has no say in it.

use core::fmt;

use graviola::hashing::Sha256;
use graviola::hashing::hmac::Hmac;
use graviola::signing::ecdsa::{self, P256};
use graviola::signing::eddsa::Ed25519VerifyingKey;
use graviola::signing::rsa;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

/// Bytes of a shared secret, at least: as many as of the hash (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// What comes before the point of a P-256 key (RFC 5480).
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The algorithm of an RSA key (RFC 8017, A.1): `rsaEncryption`, with no parameters.
const RSA_ALGORITHM: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A key.
pub(super) enum Key {
    Shared(Box<[u8]>),
    Rsa(Box<rsa::VerifyingKey>),
    P256(Box<ecdsa::VerifyingKey<P256>>),
    Ed25519(Box<Ed25519VerifyingKey>),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm())
    }
}

impl Key {
    /// The key in a file: a public key in PEM, or else a shared secret.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text.contains("PRIVATE KEY-----") {
            return Err("this is a private key: give the public one, and keep that".to_owned());
        }
        if !text.contains("-----BEGIN") {
            let secret = text.trim().as_bytes();
            return if secret.len() < SECRET_BYTES_MIN {
                Err(format!("a shared secret has at least {SECRET_BYTES_MIN} bytes"))
            } else {
                Ok(Self::Shared(secret.into()))
            };
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
            .map_err(|_| "there is no `BEGIN PUBLIC KEY` in it".to_owned())?;
        public(&der)
            .ok_or_else(|| "it is no key of RSA (2048 bits or more), P-256 or Ed25519".to_owned())
    }

    /// The name of its algorithm (RFC 7518, 3.1; RFC 8037).
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Shared(_) => "HS256",
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    /// Whether it signed `message`.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Shared(secret) => {
                let mut hmac = Hmac::<Sha256>::new(secret);
                hmac.update(message);
                hmac.verify(signature)
            }
            Self::Rsa(key) => key.verify_pkcs1_sha256(signature, message),
            Self::P256(key) => key.verify::<Sha256>(&[message], signature),
            Self::Ed25519(key) => key.verify(signature, message),
        };
        verified.is_ok()
    }
}

fn public(der: &[u8]) -> Option<Key> {
    if let Ok(key) = Ed25519VerifyingKey::from_spki_der(der) {
        return Some(Key::Ed25519(Box::new(key)));
    }
    if let Some(point) = der.strip_prefix(&P256_HEAD) {
        return ecdsa::VerifyingKey::from_x962_uncompressed(point)
            .ok()
            .map(|key| Key::P256(Box::new(key)));
    }
    let (whole, rest) = member(der, 0x30)?;
    let bits = whole.strip_prefix(&RSA_ALGORITHM).filter(|_| rest.is_empty())?;
    let (bits, rest) = member(bits, 0x03)?;
    // The first byte of a bit string says how many bits of the last one are unused.
    let inner = bits.strip_prefix(&[0]).filter(|_| rest.is_empty())?;
    rsa::VerifyingKey::from_pkcs1_der(inner).ok().map(|key| Key::Rsa(Box::new(key)))
}

/// The contents of the first value of DER, which has this tag, and what is behind it.
fn member(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short if *short < 0x80 => (usize::from(*short), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
