//! The bytes of a pack, as recovery walks them: what is found lies inside, in order, and verifies.
#![no_main]

use chunkstore::ChunkId;
use chunkstore::pack::{RECORD_HEADER_BYTES, decode_pack_header, decode_record_header, scan_bytes};
use fuzz::{seeds, wrap};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        let record = wrap::record(&wrap::chunk(b"\0a chunk", 7).1);
        let whole = [wrap::pack_header(), record.clone(), record.clone()].concat();
        let torn = [&wrap::pack_header(), &record[..50], &record].concat();
        seeds::plant([whole, torn]);
    },
    |pack: &[u8]| {
        let _ = decode_pack_header(pack);
        let _ = decode_record_header(pack);
        let mut end = 0;
        for record in scan_bytes(pack) {
            assert!(record.offset as usize >= end, "records do not overlap");
            let start = record.offset as usize + RECORD_HEADER_BYTES;
            end = start + record.len as usize;
            assert_eq!(ChunkId::of(&pack[start..end]), record.id);
        }
    }
);
