//! The few shapes all of this crate's own byte formats are made of: bytes, LEB128 variable-length integers,
//! zigzag for signed ones, length-prefixed strings. Reading is total: it never panics, and never allocates more than
//! the input holds.

/// Why bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The input ends in the middle of a value.
    #[error("the record is cut short")]
    Short,
    /// A value is outside what the format allows.
    #[error("the record is malformed: {0}")]
    Malformed(&'static str),
    /// Written by a newer version of this software.
    #[error("the record has format {found}, this software knows up to {known}; update it")]
    Newer {
        /// The version found.
        found: u8,
        /// The newest version known.
        known: u8,
    },
}

/// Appends values to a byte vector.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) out: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    pub(crate) fn byte(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(crate) fn raw(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
    }

    pub(crate) fn fixed64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    pub(crate) fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)) as u64);
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.unsigned(value.len() as u64);
        self.raw(value);
    }
}

/// Takes values off the front of a byte slice.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything left.
    pub(crate) fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Malformed("bytes after the end")) }
    }

    pub(crate) fn raw(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(WireError::Short)?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut out = [0; N];
        out.copy_from_slice(self.raw(N)?);
        Ok(out)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, WireError> {
        Ok(self.raw(1)?[0])
    }

    pub(crate) fn fixed64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(WireError::Malformed("integer over 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Malformed("integer over 64 bits"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, WireError> {
        let raw = self.unsigned()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    pub(crate) fn unsigned32(&mut self) -> Result<u32, WireError> {
        u32::try_from(self.unsigned()?).map_err(|_| WireError::Malformed("integer over 32 bits"))
    }

    /// A count of things of which each takes at least one byte.
    pub(crate) fn count(&mut self, most: usize) -> Result<usize, WireError> {
        let count = usize::try_from(self.unsigned()?).unwrap_or(usize::MAX);
        if count > most {
            return Err(WireError::Malformed("too many elements"));
        }
        if count > self.rest.len() { Err(WireError::Short) } else { Ok(count) }
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Result<&'a [u8], WireError> {
        let len = usize::try_from(self.unsigned()?).unwrap_or(usize::MAX);
        if len > most {
            return Err(WireError::Malformed("string too long"));
        }
        self.raw(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back() {
        let mut w = Writer::default();
        let values = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        for v in values {
            w.unsigned(v);
            w.signed(v as i64);
        }
        let mut r = Reader::new(&w.out);
        for v in values {
            assert_eq!(r.unsigned(), Ok(v));
            assert_eq!(r.signed(), Ok(v as i64));
        }
        assert_eq!(r.finish(), Ok(()));
    }

    #[test]
    fn overlong_and_short_input_is_refused() {
        assert_eq!(Reader::new(&[0x80; 11]).unsigned(), Err(WireError::Malformed("integer over 64 bits")));
        assert_eq!(Reader::new(&[0x80]).unsigned(), Err(WireError::Short));
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x7f]).count(10),
            Err(WireError::Malformed("too many elements"))
        );
        assert_eq!(Reader::new(&[5, 1, 2]).bytes(9), Err(WireError::Short));
    }
}
