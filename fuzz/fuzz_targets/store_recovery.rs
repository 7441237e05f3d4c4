//! Packs and an index with fuzzed bytes under a whole store: it opens or says why not, and serves nothing that does
//! not verify. Parts of the input: the index, then the packs.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use chunkstore::disk::{Disk, MemoryDisk, Open};
use chunkstore::{ChunkId, ChunkStore, Limits, Pace};
use fuzz::{join_parts, parts, seeds, wrap};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        let (one, two) = (wrap::record(&wrap::chunk(b"\0one", 3).1), wrap::record(&wrap::chunk(b"\0two", 3).1));
        let whole = [wrap::pack_header(), one.clone(), two.clone()].concat();
        let torn = [&wrap::pack_header(), &one[..50], &two].concat();
        seeds::plant([join_parts([&b""[..], &whole, &torn]), join_parts([&b"redb"[..], &torn])]);
    },
    |data: &[u8]| {
        let mut parts = parts(data).into_iter();
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        if let Some(index) = parts.next().filter(|index| !index.is_empty()) {
            put(&*disk, Path::new("chunks/index.redb"), index);
        }
        for (number, pack) in parts.take(4).enumerate() {
            put(&*disk, Path::new(&format!("chunks/packs/{number:02x}/{number:016x}.pack")), pack);
        }
        let Ok(store) = ChunkStore::open(disk, Path::new("chunks"), Limits::default()) else { return };
        if let Ok(ids) = store.partition_ids(wrap::chunk(b"\0one", 3).0.id.partition(), None, 10) {
            for id in ids {
                if let Ok(sealed) = store.export(&id) {
                    assert_eq!(ChunkId::of(&sealed), id);
                }
            }
        }
        let _ = store.scrub(None, &mut |_| Pace::Continue);
    }
);

fn put(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    disk.create_dir_all(path.parent().expect("in a folder")).expect("memory");
    disk.open(path, Open::Create).and_then(|file| file.write_at(0, bytes)).expect("memory");
}
