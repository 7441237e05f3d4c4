//! From plaintext to ciphertext and back.
//!
//! ```text
//!  fingerprint ‖ key = BLAKE3-keyed-XOF(dedup secret, plaintext)            32 + 32 bytes
//!  sealed = AES-256-GCM-SIV(key, nonce 0, no associated data, codec ‖ payload)
//!         = 1 byte codec (0 raw, 1 zstd), payload, both enciphered ‖ 16 bytes tag
//!  ChunkId = BLAKE3(sealed)
//! ```
//!
//! One key seals exactly one plaintext, so the fixed nonce is safe; GCM-SIV keeps it harmless even if two versions
//! of zstd encode that plaintext differently. zstd (level 1) is kept only where it wins at least 3 %.

use std::cell::RefCell;

use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::{AeadInOut, KeyInit, Nonce, Tag};
use bytes::Bytes;
use zeroize::Zeroize;

use crate::cut::MAX_CHUNK_BYTES;
use crate::error::Damage;
use crate::ids::{ChunkId, ChunkKey, ChunkRef, DedupSecret, Fingerprint, ID_BYTES};

/// Bytes the AEAD adds behind the payload.
pub const TAG_BYTES: usize = 16;
/// Bytes a sealed chunk has beyond its payload: codec and tag.
pub const SEAL_OVERHEAD_BYTES: usize = 1 + TAG_BYTES;
/// Longest sealed chunk, bytes: a longest plaintext, stored raw.
pub const MAX_SEALED_BYTES: usize = MAX_CHUNK_BYTES + SEAL_OVERHEAD_BYTES;

const CODEC_RAW: u8 = 0;
const CODEC_ZSTD: u8 = 1;
const ZSTD_LEVEL: i32 = 1;
/// Below this zstd's frame costs what it could win.
const MIN_COMPRESSED_BYTES: usize = 128;
/// From this length on a probe may spare the attempt.
const MIN_PROBED_BYTES: usize = 16 << 10;

/// The dedup key and the sealing key of a plaintext.
#[must_use]
pub fn fingerprint(secret: &DedupSecret, plain: &[u8]) -> (Fingerprint, ChunkKey) {
    let mut both = [0; 2 * ID_BYTES];
    blake3::Hasher::new_keyed(secret.bytes()).update(plain).finalize_xof().fill(&mut both);
    let (mut print, mut key) = ([0; ID_BYTES], [0; ID_BYTES]);
    print.copy_from_slice(&both[..ID_BYTES]);
    key.copy_from_slice(&both[ID_BYTES..]);
    both.zeroize();
    (Fingerprint(print), ChunkKey(key))
}

/// Buffers one thread seals with, so that sealing a chunk allocates nothing. Holds at most one longest chunk and a
/// compression context of about 1 MiB.
#[derive(Default)]
pub struct SealScratch {
    /// Room for a record header, then the sealed chunk: a record is written in one piece.
    buffer: Vec<u8>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

/// A chunk just sealed, in its scratch.
pub struct SealedChunk<'a> {
    /// BLAKE3 of the ciphertext.
    pub id: ChunkId,
    /// `HEAD_ROOM_BYTES` of room, then the ciphertext.
    record: &'a mut [u8],
}

/// Room in front of a sealed chunk for what a pack puts there, bytes.
pub(crate) const HEAD_ROOM_BYTES: usize = 44;

impl<'a> SealedChunk<'a> {
    /// The sealed bytes.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        &self.record[HEAD_ROOM_BYTES..]
    }

    pub(crate) fn into_record(self) -> &'a mut [u8] {
        self.record
    }
}

/// Seals a plaintext of at most [`MAX_CHUNK_BYTES`] with its key from [`fingerprint`].
///
/// The same plaintext gives the same ciphertext, as long as the zstd library does.
///
/// # Panics
/// If `plain` is longer than [`MAX_CHUNK_BYTES`]: callers cut first.
pub fn seal<'a>(key: &ChunkKey, plain: &[u8], scratch: &'a mut SealScratch) -> SealedChunk<'a> {
    assert!(plain.len() <= MAX_CHUNK_BYTES, "chunks are cut before they are sealed");
    let body_end = scratch.encode(plain);
    let record = &mut scratch.buffer[..body_end + TAG_BYTES];
    let (body, tag) = record[HEAD_ROOM_BYTES..].split_at_mut(body_end - HEAD_ROOM_BYTES);
    let made = cipher(key)
        .encrypt_inout_detached(&zero_nonce(), b"", body.into())
        .expect("a chunk is far below the cipher's length limit");
    tag.copy_from_slice(&made);
    SealedChunk { id: ChunkId::of(&record[HEAD_ROOM_BYTES..]), record }
}

/// Opens a sealed chunk into `out`, which is replaced: hash, tag and length are checked before a byte is given.
///
/// # Errors
/// [`Damage`] says what did not verify; `out` is then empty.
pub fn open(chunk: &ChunkRef, ciphertext: &[u8], out: &mut Vec<u8>) -> Result<(), Damage> {
    out.clear();
    let opened = open_owned(chunk, ciphertext.to_vec())?;
    out.extend_from_slice(&opened);
    Ok(())
}

/// Like [`open`], in place: the buffer the disk read fills becomes the plaintext where it was stored raw.
pub(crate) fn open_owned(chunk: &ChunkRef, sealed: Vec<u8>) -> Result<Bytes, Damage> {
    if sealed.len() < SEAL_OVERHEAD_BYTES || sealed.len() > MAX_SEALED_BYTES {
        return Err(Damage::Malformed);
    }
    if ChunkId::of(&sealed) != chunk.id {
        return Err(Damage::WrongHash);
    }
    open_stored(chunk, sealed)
}

/// Like [`open_owned`] for bytes that had the right hash when they were stored: the hash is not computed again. The tag finds every
/// change since then, for only who knows the plaintext knows the key. On an error, [`open_owned`] says what is wrong.
pub(crate) fn open_stored(chunk: &ChunkRef, mut sealed: Vec<u8>) -> Result<Bytes, Damage> {
    if sealed.len() < SEAL_OVERHEAD_BYTES || sealed.len() > MAX_SEALED_BYTES {
        return Err(Damage::Malformed);
    }
    let body_len = sealed.len() - TAG_BYTES;
    let (body, tag) = sealed.split_at_mut(body_len);
    let tag = Tag::<Aes256GcmSiv>::try_from(&*tag).map_err(|_| Damage::Malformed)?;
    cipher(&chunk.key)
        .decrypt_inout_detached(&zero_nonce(), b"", body.into(), &tag)
        .map_err(|_| Damage::WrongKey)?;
    sealed.truncate(body_len);
    decode(sealed, chunk.len as usize)
}

fn decode(body: Vec<u8>, plain_len: usize) -> Result<Bytes, Damage> {
    if plain_len > MAX_CHUNK_BYTES {
        return Err(Damage::Malformed);
    }
    let plain = match body[0] {
        CODEC_RAW => Bytes::from(body).slice(1..),
        CODEC_ZSTD => decompress(&body[1..], plain_len)?,
        _ => return Err(Damage::Malformed),
    };
    if plain.len() == plain_len { Ok(plain) } else { Err(Damage::Malformed) }
}

/// The frame header is not believed: what is allocated is the length the caller's reference names.
fn decompress(frame: &[u8], plain_len: usize) -> Result<Bytes, Damage> {
    thread_local! {
        static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let mut plain = Vec::with_capacity(plain_len);
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(ready) => ready,
            None => slot.insert(zstd::bulk::Decompressor::new().map_err(|_| Damage::Unreadable)?),
        };
        decompressor.decompress_to_buffer(frame, &mut plain).map_err(|_| Damage::Malformed)
    })?;
    Ok(Bytes::from(plain))
}

impl SealScratch {
    /// Empty scratch; the buffers grow on first use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes codec and payload behind the head room; returns where they end.
    fn encode(&mut self, plain: &[u8]) -> usize {
        let payload_at = HEAD_ROOM_BYTES + 1;
        let room = payload_at + plain.len() + TAG_BYTES;
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        if let Some(len) = self.compress(plain, payload_at) {
            self.buffer[HEAD_ROOM_BYTES] = CODEC_ZSTD;
            return payload_at + len;
        }
        self.buffer[HEAD_ROOM_BYTES] = CODEC_RAW;
        self.buffer[payload_at..payload_at + plain.len()].copy_from_slice(plain);
        payload_at + plain.len()
    }

    /// Compresses if that wins at least 3 %. A context that cannot be made costs the compression, not the chunk.
    fn compress(&mut self, plain: &[u8], at: usize) -> Option<usize> {
        if plain.len() < MIN_COMPRESSED_BYTES || (plain.len() >= MIN_PROBED_BYTES && looks_random(plain)) {
            return None;
        }
        if self.compressor.is_none() {
            self.compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
        }
        let worth = plain.len() - plain.len().div_ceil(100) * 3;
        self.compressor.as_mut()?.compress_to_buffer(plain, &mut self.buffer[at..at + worth]).ok()
    }
}

const PROBES: usize = 4;
const PROBE_BYTES: usize = 4 << 10;

/// Whether four samples of 4 KiB have a byte histogram as flat as random bytes have. The measure is the sum of
/// squared counts (Rényi entropy of order 2) in integers, so that all computers decide alike: random data scores
/// 1.016 times the flattest possible sum, and 1.1 is about 7.86 bits a byte.
fn looks_random(plain: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    let step = (plain.len() - PROBE_BYTES) / (PROBES - 1);
    for probe in 0..PROBES {
        for byte in &plain[probe * step..probe * step + PROBE_BYTES] {
            counts[usize::from(*byte)] += 1;
        }
    }
    let squares: u64 = counts.iter().map(|count| u64::from(*count) * u64::from(*count)).sum();
    let samples = (PROBES * PROBE_BYTES) as u64;
    squares * 256 * 10 <= samples * samples * 11
}

fn cipher(key: &ChunkKey) -> Aes256GcmSiv {
    Aes256GcmSiv::new(&key.0.into())
}

fn zero_nonce() -> Nonce<Aes256GcmSiv> {
    Nonce::<Aes256GcmSiv>::default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::noise;

    fn secret() -> DedupSecret {
        DedupSecret::new([9; 32])
    }

    fn sealed(plain: &[u8]) -> (ChunkRef, Vec<u8>) {
        let (_, key) = fingerprint(&secret(), plain);
        let mut scratch = SealScratch::new();
        let sealed = seal(&key, plain, &mut scratch);
        let bytes = sealed.ciphertext().to_vec();
        (ChunkRef { id: sealed.id, key, len: plain.len() as u32 }, bytes)
    }

    #[test]
    fn what_is_sealed_opens_to_the_same_bytes() {
        let mut out = vec![1, 2, 3];
        for plain in [vec![], vec![7], vec![0; 127], vec![0; MAX_CHUNK_BYTES], noise(1, 70_000)] {
            let (chunk, bytes) = sealed(&plain);
            open(&chunk, &bytes, &mut out).unwrap();
            assert_eq!(out, plain);
        }
    }

    #[test]
    fn noise_is_stored_raw_and_text_compressed() {
        let plain = noise(2, 100_000);
        assert_eq!(sealed(&plain).1.len(), plain.len() + SEAL_OVERHEAD_BYTES);
        assert_eq!(sealed(&noise(3, 1000)).1.len(), 1000 + SEAL_OVERHEAD_BYTES);
        let text = "the quick brown fox jumps over the lazy dog. ".repeat(1000);
        assert!(sealed(text.as_bytes()).1.len() < text.len() / 10);
        assert_eq!(sealed(&[0; 127]).1.len(), 127 + SEAL_OVERHEAD_BYTES);
    }

    #[test]
    fn the_sealed_bytes_of_a_known_chunk_never_change() {
        let (print, key) = fingerprint(&secret(), b"peerdrive");
        let (chunk, bytes) = sealed(b"peerdrive");
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&print.0), GOLDEN_FINGERPRINT);
        assert_eq!(hex(&key.0), GOLDEN_KEY);
        assert_eq!(hex(&bytes), GOLDEN_SEALED);
        assert_eq!(chunk.id.to_string(), GOLDEN_ID);
    }

    const GOLDEN_FINGERPRINT: &str = "b408f7c3c3edcc61c3241a70821a0695a61c7d686814bcd957d3f2ff0bcceaed";
    const GOLDEN_KEY: &str = "61743a1fdd6c6b241149d03cba93076712f4e2f503c1fc39bf008036529b0fa0";
    const GOLDEN_SEALED: &str = "f9f9ce3e281d6a39be638b7293419f7c3e2c54ffd380cac0d00c";
    const GOLDEN_ID: &str = "2a095e6d8315e9bab611ed449f9b030f7312afca8137402e7f9cab6d9dda3445";

    #[test]
    fn a_sealed_chunk_of_an_older_writer_still_opens() {
        // zstd may encode differently one day; what is stored must open regardless.
        let plain = vec![b'a'; 1000];
        let mut frame = vec![CODEC_ZSTD];
        frame.extend(zstd::bulk::compress(&plain, 19).unwrap());
        let (_, key) = fingerprint(&secret(), &plain);
        let tag =
            cipher(&key).encrypt_inout_detached(&zero_nonce(), b"", frame.as_mut_slice().into()).unwrap();
        frame.extend_from_slice(&tag);
        let chunk = ChunkRef { id: ChunkId::of(&frame), key, len: 1000 };
        let mut out = Vec::new();
        open(&chunk, &frame, &mut out).unwrap();
        assert_eq!(out, plain);
    }

    #[test]
    fn wrong_key_length_or_bytes_are_refused() {
        let (chunk, bytes) = sealed(&noise(4, 5000));
        let mut out = Vec::new();
        let mut flipped = bytes.clone();
        flipped[100] ^= 1;
        assert_eq!(open(&chunk, &flipped, &mut out), Err(Damage::WrongHash));
        let wrong = ChunkRef { key: ChunkKey([0; 32]), ..chunk.clone() };
        assert_eq!(open(&wrong, &bytes, &mut out), Err(Damage::WrongKey));
        for len in [0, 4999, 5001, u32::MAX] {
            assert_eq!(open(&ChunkRef { len, ..chunk.clone() }, &bytes, &mut out), Err(Damage::Malformed));
        }
        assert_eq!(open(&chunk, &bytes[..16], &mut out), Err(Damage::Malformed));
    }

    #[test]
    fn a_compressed_payload_of_another_length_is_refused() {
        let (chunk, bytes) = sealed(&[b'x'; 4000]);
        let mut out = Vec::new();
        for len in [0, 3999, 4001] {
            assert_eq!(open(&ChunkRef { len, ..chunk.clone() }, &bytes, &mut out), Err(Damage::Malformed));
        }
    }

    proptest! {
        #[test]
        fn any_plaintext_comes_back(plain in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let (chunk, bytes) = sealed(&plain);
            let mut out = Vec::new();
            open(&chunk, &bytes, &mut out).unwrap();
            prop_assert_eq!(out, plain);
        }

        #[test]
        fn opening_random_bytes_never_panics(
            bytes in proptest::collection::vec(any::<u8>(), 0..600), len in any::<u32>()
        ) {
            let chunk = ChunkRef { id: ChunkId::of(&bytes), key: ChunkKey([3; 32]), len };
            prop_assert!(open(&chunk, &bytes, &mut Vec::new()).is_err());
        }
    }
}
