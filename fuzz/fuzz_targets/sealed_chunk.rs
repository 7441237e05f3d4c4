//! A sealed chunk whose inside is fuzzed, as a member could make it: length (4 bytes), codec, payload.
#![no_main]

use chunkstore::seal;
use fuzz::{seeds, wrap};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        let zstd = b"\x28\xb5\x2f\xfd\x00\x58\x29\x00\x00hello";
        seeds::plant([[&[0, 0, 0, 5, 0], &b"plain"[..]].concat(), [&[0, 0, 0, 5, 1], &zstd[..]].concat()]);
    },
    |data: &[u8]| {
        let Some((len, body)) = data.split_first_chunk::<4>() else { return };
        let (chunk, sealed) = wrap::chunk(body, u32::from_be_bytes(*len));
        let mut plain = Vec::new();
        match seal::open(&chunk, &sealed, &mut plain) {
            Ok(()) => assert_eq!(plain.len(), chunk.len as usize),
            Err(_) => assert!(plain.is_empty(), "nothing is given of what does not verify"),
        }
        let _ = seal::open(&chunk, body, &mut plain);
    }
);
