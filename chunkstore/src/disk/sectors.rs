//! Sector encryption: AES-256-XTS over 4096-byte sectors (IEEE 1619), the cipher of disk encryption.
//!
//! Deterministic and length preserving, so that a database can run over it unchanged. It hides content; it does not
//! authenticate it (the database's own checksums notice random damage). The tweak of a sector is its number in the
//! file, little endian.
//!
//! A 16-byte ciphertext block of zeros reads as zeros: files grow with zeros that nobody wrote. A written block
//! enciphers to zeros with probability 2⁻¹²⁸.
//!
//! The mode is written out here, over the blocks of a whole sector at once: the cipher then works on many blocks side by side,
//! an order of magnitude faster than block by block.

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes256, Block};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Unit of encryption, bytes.
pub const SECTOR_BYTES: usize = 4096;
const BLOCK_BYTES: usize = 16;
const BLOCKS: usize = SECTOR_BYTES / BLOCK_BYTES;

/// The two AES-256 keys of XTS: data key, then tweak key. Not shown by `Debug` or `Display`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SectorKey([u8; 64]);

impl SectorKey {
    /// Takes 64 bytes of key; the halves must differ (derive them, do not repeat one).
    #[must_use]
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }
}

/// One sector's worth of bytes.
pub(super) type Sector = [u8; SECTOR_BYTES];

/// What each block is masked with, before and after the cipher.
type Tweaks = [u128; BLOCKS];

/// Enciphers and deciphers sectors with one key.
pub(super) struct SectorCipher {
    data: Aes256,
    tweak: Aes256,
}

impl SectorCipher {
    pub(super) fn new(key: &SectorKey) -> Self {
        let half =
            |from: usize| Aes256::new_from_slice(&key.0[from..from + 32]).expect("half of 64 bytes is a key");
        Self { data: half(0), tweak: half(32) }
    }

    pub(super) fn encrypt(&self, number: u64, sector: &mut Sector) {
        let tweaks = self.tweaks(number);
        mask(sector, &tweaks);
        self.data.encrypt_blocks(blocks(sector));
        mask(sector, &tweaks);
    }

    pub(super) fn decrypt(&self, number: u64, sector: &mut Sector) {
        let mut unwritten = [false; BLOCKS];
        for (block, flag) in sector.chunks_exact(BLOCK_BYTES).zip(&mut unwritten) {
            *flag = block == [0; BLOCK_BYTES];
        }
        if unwritten == [true; BLOCKS] {
            return;
        }
        let tweaks = self.tweaks(number);
        mask(sector, &tweaks);
        self.data.decrypt_blocks(blocks(sector));
        mask(sector, &tweaks);
        for (block, flag) in sector.chunks_exact_mut(BLOCK_BYTES).zip(unwritten) {
            if flag {
                block.fill(0);
            }
        }
    }

    /// The first is the enciphered number, each next one the one before times α in GF(2¹²⁸).
    fn tweaks(&self, number: u64) -> Tweaks {
        let mut first = Block::from(u128::from(number).to_le_bytes());
        self.tweak.encrypt_block(&mut first);
        let mut next = u128::from_le_bytes(first.into());
        std::array::from_fn(|_| {
            let this = next;
            next = (this << 1) ^ if this >> 127 == 1 { 0x87 } else { 0 };
            this
        })
    }
}

fn blocks(sector: &mut Sector) -> &mut [Block] {
    Array::slice_as_chunks_mut(sector).0
}

fn mask(sector: &mut Sector, tweaks: &Tweaks) {
    for (block, tweak) in sector.as_chunks_mut::<BLOCK_BYTES>().0.iter_mut().zip(tweaks) {
        *block = (u128::from_le_bytes(*block) ^ tweak).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher() -> SectorCipher {
        let mut key = [1; 64];
        key[32..].fill(2);
        SectorCipher::new(&SectorKey::new(key))
    }

    #[test]
    fn a_sector_comes_back_and_depends_on_its_place() {
        let plain = [0x5a; SECTOR_BYTES];
        let (mut first, mut second) = (plain, plain);
        cipher().encrypt(0, &mut first);
        cipher().encrypt(1, &mut second);
        assert_ne!(first, second);
        cipher().decrypt(1, &mut second);
        assert_eq!(second, plain);
    }

    #[test]
    fn blocks_nobody_wrote_read_as_zeros() {
        let mut sector = [0; SECTOR_BYTES];
        cipher().decrypt(5, &mut sector);
        assert_eq!(sector, [0; SECTOR_BYTES]);
        let mut torn = [0x33; SECTOR_BYTES];
        cipher().encrypt(5, &mut torn);
        torn[2048..].fill(0);
        cipher().decrypt(5, &mut torn);
        assert_eq!(torn[..2048], [0x33; 2048]);
        assert_eq!(torn[2048..], [0; 2048]);
    }

    #[test]
    fn written_zeros_are_not_visible_as_zeros() {
        let mut sector = [0; SECTOR_BYTES];
        cipher().encrypt(9, &mut sector);
        assert!(sector.chunks_exact(BLOCK_BYTES).all(|block| block != [0; BLOCK_BYTES]));
        cipher().decrypt(9, &mut sector);
        assert_eq!(sector, [0; SECTOR_BYTES]);
    }

    #[test]
    fn the_known_answer_of_ieee_1619_holds() {
        // IEEE 1619-2007 vector 10 (XTS-AES-256, 512-byte unit 0xff): its first block.
        let data = "2718281828459045235360287471352662497757247093699959574966967627";
        let tweak = "3141592653589793238462643383279502884197169399375105820974944592";
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let mut key = [0; 64];
        key[..32].copy_from_slice(&bytes(data));
        key[32..].copy_from_slice(&bytes(tweak));
        let mut sector = [0; SECTOR_BYTES];
        sector.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
        SectorCipher::new(&SectorKey::new(key)).encrypt(0xff, &mut sector);
        assert_eq!(sector[..16], bytes("1c3b3a102f770386e4836c99e370cf9b")[..]);
        // The whole of a sector, as another implementation (xts-mode 0.6) enciphered it.
        assert_eq!(
            blake3::hash(&sector).to_hex().as_str(),
            "2a4f86cf9bbc52f6a5201268bcd366bdd28c14a4c93287d52a89af972c09eb55"
        );
    }
}
