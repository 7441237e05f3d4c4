//! What the fuzz targets share. A fuzzer cannot guess a hash, a tag or a signature, so the targets make them: the
//! fuzzed bytes are what lies *inside* the seal, as from a member or a disk that lies.
//!
//! | module | is |
//! |---|---|
//! | [`cast`] | the keys of one user and three devices, and a drive on which much has happened |
//! | [`wrap`] | valid checks, tags and signatures around fuzzed bytes |
//! | [`seeds`] | real encodings to start from, made anew by each run, so that they always fit the formats |

pub mod cast;
pub mod seeds;
pub mod wrap;

/// Input as a list of byte strings, each behind its length (2 bytes, big-endian); the last may be cut short.
pub fn parts(mut data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (part, rest) = rest.split_at(length);
        parts.push(part);
        data = rest;
    }
    parts
}

/// The inverse of [`parts`]; longer strings are left out.
pub fn join_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut joined = Vec::new();
    for part in parts {
        if let Ok(length) = u16::try_from(part.len()) {
            joined.extend(length.to_be_bytes());
            joined.extend(part);
        }
    }
    joined
}
