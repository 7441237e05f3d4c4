//! A row of the tree.
#![no_main]

use fuzz::cast::Cast;
use fuzz::seeds;
use ledger::{Table, decode_inode_row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: seeds::plant(seeds::rows(&Cast::new(), Table::Inodes)),
    |row: &[u8]| {
        let _ = decode_inode_row(row);
    }
);
