//! A file that all have mapped: each writes stamps into pages of its own and reads those of the others, through the map and
//! through the file. A stamp never goes back.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::Racer;
use crate::map::Map;

const PAGE_BYTES: usize = 4096;
/// One page for each number a racer can have.
const PAGES: usize = 64;

pub fn stamp(mut racer: Racer) {
    let path = racer.path("mapped");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    file.set_len((PAGES * PAGE_BYTES) as u64).unwrap();
    let mut map = Map::of(&file, PAGES * PAGE_BYTES);
    let own = racer.number as usize;
    let mut seen = [0; PAGES];
    let mut stamp = 0_u64;
    while racer.goes_on() {
        stamp += 1;
        map.write(own * PAGE_BYTES, &stamp.to_le_bytes());
        if racer.dice.percent(1) {
            map.sync();
        }
        for _ in 0..4 {
            let page = racer.dice.below(PAGES as u64) as usize;
            let found = if racer.dice.percent(50) {
                map.read(page * PAGE_BYTES, 8)
            } else {
                let mut found = vec![0; 8];
                file.read_exact_at(&mut found, (page * PAGE_BYTES) as u64).unwrap();
                found
            };
            let found = u64::from_le_bytes(found.try_into().unwrap());
            assert!(found >= seen[page], "page {page} went from {} back to {found}", seen[page]);
            seen[page] = found;
        }
    }
    map.sync();
    println!("stamped {own} {stamp}");
}
