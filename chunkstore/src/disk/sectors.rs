//! Sector encryption: AES-256-XTS over 4096-byte sectors (IEEE 1619), the cipher of disk encryption.
//!
//! Deterministic and length preserving, so that a database can run over it unchanged. It hides content; it does not
//! authenticate it (the database's own checksums notice random damage). The tweak of a sector is its number in the
//! file, little endian.
//!
//! A 16-byte ciphertext block of zeros reads as zeros: files grow with zeros that nobody wrote. A written block
//! enciphers to zeros with probability 2⁻¹²⁸.

use aes::Aes256;
use aes::cipher::KeyInit;
use xts_mode::{Xts128, get_tweak_default};
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

/// Enciphers and deciphers sectors with one key.
pub(super) struct SectorCipher {
    xts: Xts128<Aes256>,
}

impl SectorCipher {
    pub(super) fn new(key: &SectorKey) -> Self {
        let half =
            |from: usize| Aes256::new_from_slice(&key.0[from..from + 32]).expect("half of 64 bytes is a key");
        Self { xts: Xts128::new(half(0), half(32)) }
    }

    pub(super) fn encrypt(&self, number: u64, sector: &mut Sector) {
        self.xts.encrypt_sector(sector, get_tweak_default(u128::from(number)));
    }

    pub(super) fn decrypt(&self, number: u64, sector: &mut Sector) {
        let mut unwritten = [false; BLOCKS];
        for (block, flag) in sector.chunks_exact(BLOCK_BYTES).zip(&mut unwritten) {
            *flag = block == [0; BLOCK_BYTES];
        }
        if unwritten == [true; BLOCKS] {
            return;
        }
        self.xts.decrypt_sector(sector, get_tweak_default(u128::from(number)));
        for (block, flag) in sector.chunks_exact_mut(BLOCK_BYTES).zip(unwritten) {
            if flag {
                block.fill(0);
            }
        }
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
    }
}
