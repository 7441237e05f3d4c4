//! Buffers for large frames, used again: the first touch of fresh memory costs more than filling it.
//!
//! ```text
//!  Buffer::take ─▶ filled by a reader ─▶ Bytes ─▶ dropped by whoever had it last ─▶ kept here, up to a bound
//! ```

use bytes::Bytes;
use parking_lot::Mutex;

/// Unused buffers that are kept, in the whole process.
const KEPT_MAX_BYTES: usize = 4 << 20;
/// Smaller frames are left to the allocator, which has such memory at hand.
const KEPT_MIN_BYTES: usize = 32 << 10;
/// A frame takes at most so many times the memory it needs.
const WASTE_MAX: usize = 2;

static KEPT: Mutex<Kept> = Mutex::new(Kept { buffers: Vec::new(), bytes: 0 });

/// At most [`KEPT_MAX_BYTES`] / [`KEPT_MIN_BYTES`] buffers: few enough to look through.
struct Kept {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Kept {
    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        let fits = |buffer: &Vec<u8>| (length..=WASTE_MAX * length).contains(&buffer.capacity());
        let at = self.buffers.iter().rposition(fits)?;
        let buffer = self.buffers.swap_remove(at);
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if bytes >= KEPT_MIN_BYTES && self.bytes + bytes <= KEPT_MAX_BYTES {
            buffer.clear();
            self.bytes += bytes;
            self.buffers.push(buffer);
        }
    }
}

/// Gives up the buffers that are kept to be used again. For a process that rests.
pub fn release_memory() {
    *KEPT.lock() = Kept { buffers: Vec::new(), bytes: 0 };
}

/// A buffer that comes back when it is dropped.
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty one with room for so many bytes.
    pub(super) fn take(length: usize) -> Self {
        let kept = (length >= KEPT_MIN_BYTES).then(|| KEPT.lock().take(length)).flatten();
        Self(kept.unwrap_or_else(|| Vec::with_capacity(length)))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn freeze(mut self) -> Bytes {
        if self.0.capacity() < KEPT_MIN_BYTES {
            std::mem::take(&mut self.0).into()
        } else {
            Bytes::from_owner(self)
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.capacity() >= KEPT_MIN_BYTES {
            KEPT.lock().give(std::mem::take(&mut self.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_empty_and_fits() {
        let mut kept = Kept { buffers: Vec::new(), bytes: 0 };
        for _ in 0..100 {
            kept.give(vec![7; 256 << 10]);
            kept.give(vec![7; KEPT_MIN_BYTES - 1]);
        }
        assert_eq!(kept.bytes, KEPT_MAX_BYTES);
        assert!(kept.take(1 << 20).is_none(), "too small");
        assert!(kept.take(100 << 10).is_none(), "too large");
        let buffer = kept.take(200 << 10).unwrap();
        assert!(buffer.is_empty());
        assert_eq!(kept.bytes, KEPT_MAX_BYTES - buffer.capacity());
    }

    #[test]
    fn frames_hold_what_was_put_in() {
        for length in [0, 1, KEPT_MIN_BYTES - 1, KEPT_MIN_BYTES, 1 << 20] {
            for byte in [1, 2] {
                let mut buffer = Buffer::take(length);
                buffer.extend(&vec![byte; length]);
                assert_eq!(buffer.freeze(), vec![byte; length]);
            }
        }
    }
}
