//! The journal's file and the batches in it: bytes of the disk first, then whatever a record that verifies may hold.
#![no_main]

use std::path::Path;

use chunkstore::disk::{Disk, JournalFile, LastRecord, MemoryDisk, Open, TakenOver};
use fuzz::seeds;
use ledger::Batch;
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = b"secret";

fuzz_target!(
    init: {
        seeds::plant([
            b"\x01\x00\x04gone\x00\x0a\x03key\x01\x05value".to_vec(),
            b"PDjr\x01\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01body".to_vec(),
        ]);
    },
    |bytes: &[u8]| {
        if let Ok(batch) = Batch::decode(bytes) {
            let again = Batch::decode(&batch.encode()).expect("what was encoded decodes");
            assert_eq!(again.encode(), batch.encode());
        }
        let (disk, path) = (MemoryDisk::new(), Path::new("journal"));
        let file = disk.open(path, Open::Create).expect("memory opens");
        file.write_at(0, bytes).expect("memory takes it");
        file.set_len((bytes.len() as u64).next_multiple_of(4096)).expect("memory grows");
        if let Ok(replayed) = JournalFile::replay(&disk, path, SECRET, TakenOver::default()) {
            assert!(replayed.bodies.is_empty(), "no tag can be guessed");
        }
        // The same bytes as the body of a record: what was appended comes back.
        let mut journal = JournalFile::open(&disk, path, SECRET, 128 << 10, LastRecord::default()).expect("memory opens");
        if journal.append(0, bytes).is_ok() {
            let replayed = JournalFile::replay(&disk, path, SECRET, TakenOver::default()).expect("memory reads");
            assert_eq!(replayed.bodies, [bytes]);
        }
    }
);
