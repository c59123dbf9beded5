//! The primitives of records: LEB128 integers, length-prefixed text, fixed arrays.

use asof_time::{Sequence, Timestamp};

use crate::{Error, Result};

/// Appends primitives to a record.
#[derive(Debug, Default)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    /// LEB128, as in DWARF and WebAssembly: seven bits a byte, lowest first.
    pub(crate) fn number(&mut self, mut number: u64) -> &mut Self {
        loop {
            let low = (number & 0x7f) as u8;
            number >>= 7;
            if number == 0 {
                self.0.push(low);
                return self;
            }
            self.0.push(low | 0x80);
        }
    }

    pub(crate) fn moment(&mut self, at: Timestamp) -> &mut Self {
        self.number(at.as_micros())
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64).raw(text.as_bytes())
    }
}

/// Takes primitives off a record. Whatever the bytes are, it answers or says `Corrupt`.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Decoder<'a> {
    /// Reads `record`; `what` names it in errors.
    pub(crate) fn new(record: &'a [u8], what: &'static str) -> Self {
        Self { rest: record, what }
    }

    pub(crate) fn bad(&self, detail: &str) -> Error {
        Error::corrupt(format!("{} record {detail}", self.what))
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.bad("has bytes after its end")) }
    }

    pub(crate) fn raw(&mut self, len: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.bad("is cut short")),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.bad("is cut short")),
        }
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits.checked_shl(shift).and_then(|b| b.checked_shr(shift)) != Some(bits) {
                return Err(self.bad("holds a number above 64 bits"));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.bad("holds a number above 64 bits"))
    }

    /// A count of things of which each takes at least a byte of what is left, so that a damaged
    /// count cannot ask for more memory than the record has.
    pub(crate) fn count(&mut self) -> Result<usize> {
        let count = self.number()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(self.bad("counts more than it holds")),
        }
    }

    pub(crate) fn moment(&mut self) -> Result<Timestamp> {
        let micros = self.number()?;
        Timestamp::from_micros(micros).ok_or_else(|| self.bad("holds a time out of range"))
    }

    pub(crate) fn sequence(&mut self) -> Result<Sequence> {
        let number = self.number()?;
        Sequence::new(number).ok_or_else(|| self.bad("holds a sequence out of range"))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let len = self.count()?;
        let bytes = self.raw(len)?;
        core::str::from_utf8(bytes).map_err(|_| self.bad("holds text that is not UTF-8"))
    }
}
