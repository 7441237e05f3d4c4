//! A row as it lies in the database: with a check of its own.
//!
//! ```text
//! row = value | first 8 bytes of BLAKE3(table byte ‖ key length (4, LE) ‖ key ‖ value)
//! ```
//!
//! redb verifies its pages when it repairs, not when it reads. The check catches what rots in between, and a row that turns up
//! under another key or in another table. The sectors below are encrypted, so whoever lacks the key cannot make a fitting row.

use super::{StoreError, Table};

/// Bytes of the check.
pub(super) const CHECK_BYTES: usize = 8;

/// A value with its check.
pub(super) fn with_check(table: Table, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(value.len() + CHECK_BYTES);
    row.extend_from_slice(value);
    row.extend_from_slice(&check(table, key, value));
    row
}

/// The value of a row whose check fits.
///
/// # Errors
/// [`StoreError::Damaged`].
pub(super) fn checked<'a>(table: Table, key: &[u8], row: &'a [u8]) -> Result<&'a [u8], StoreError> {
    match row.split_last_chunk::<CHECK_BYTES>() {
        Some((value, found)) if *found == check(table, key, value) => Ok(value),
        _ => Err(StoreError::Damaged { table }),
    }
}

fn check(table: Table, key: &[u8], value: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[table as u8]);
    hasher.update(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    let mut out = [0; CHECK_BYTES];
    hasher.finalize_xof().fill(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_row_are_what_they_were() {
        let row = with_check(Table::Local, b"key", b"value");
        let digest = blake3::hash(b"\x0a\x03\0\0\0keyvalue");
        assert_eq!(row, [b"value".as_slice(), &digest.as_bytes()[..8]].concat());
    }

    #[test]
    fn a_changed_or_misplaced_row_is_refused() {
        let row = with_check(Table::Inodes, b"key", b"value");
        assert_eq!(checked(Table::Inodes, b"key", &row).unwrap(), b"value");
        for at in 0..row.len() {
            let mut bad = row.clone();
            bad[at] ^= 1;
            assert!(checked(Table::Inodes, b"key", &bad).is_err());
        }
        assert!(checked(Table::Inodes, b"kex", &row).is_err());
        assert!(checked(Table::Xattrs, b"key", &row).is_err());
        assert!(checked(Table::Inodes, b"key", &row[..5]).is_err());
    }
}
