//! A page of a long file's list of pieces.
#![no_main]

use fuzz::seeds;
use libfuzzer_sys::fuzz_target;
use vfs::decode_page_for_fuzzing;

fuzz_target!(
    init: {
        let chunk = [&[7; 64][..], &[0xac, 0x02]].concat();
        let pieces = [b"PDpg\x01\x00\x02\x01\x80\x80\x40\x00", &chunk[..]].concat();
        let pages = [b"PDpg\x01\x01\x01", &chunk[..], &[5]].concat();
        seeds::plant([pieces, pages]);
    },
    |page: &[u8]| {
        decode_page_for_fuzzing(page);
    }
);
