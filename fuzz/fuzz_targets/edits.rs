//! The list of edits inside a transaction.
#![no_main]

use fuzz::cast::Cast;
use fuzz::seeds;
use ledger::decode_edits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: seeds::plant(seeds::edits(&Cast::new()).concat()),
    |list: &[u8]| {
        if let Ok(count) = decode_edits(list) {
            assert!(count <= list.len(), "each edit takes a byte");
        }
    }
);
