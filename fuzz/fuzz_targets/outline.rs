//! What a device says to be cleaned out of its log.
#![no_main]

use fuzz::seeds;
use ledger::{OUTLINE_MAX_BYTES, decode_outline};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: seeds::plant([[b"PDol\x01".as_slice(), &[7; 48], &[1, 9, 1, 0, 3, 1, 5, 0], &[0; 64]].concat()]),
    |outline: &[u8]| {
        if let Ok(ranges) = decode_outline(outline) {
            assert!(outline.len() <= OUTLINE_MAX_BYTES && ranges * 2 <= outline.len(), "each range takes two bytes");
        }
    }
);
