//! Files of blocks that say what they are: whatever is written, cut and read at once, a block is that of its place.

use std::fs::File;
use std::os::unix::fs::FileExt;

use tests::noise;

use crate::Racer;

const FILES: u64 = 3;
const BLOCKS: u64 = 400;
const BLOCK_BYTES: usize = 4096;
const SUM_BYTES: usize = 32;
/// A block may be read while it is copied into the kernel's cache: it must be whole soon.
const TRIES: usize = 1000;

pub fn write(mut racer: Racer) {
    while racer.goes_on() {
        let (number, block) = (racer.dice.below(FILES), racer.dice.below(BLOCKS));
        let file = open(&racer, number);
        for _ in 0..racer.dice.below(50) {
            let block = (block + racer.dice.below(8)) % BLOCKS;
            let content = made(number, block, racer.dice.below(u64::MAX));
            file.write_all_at(&content, block * BLOCK_BYTES as u64).unwrap();
        }
        match racer.dice.below(20) {
            0 => file.set_len(racer.dice.below(BLOCKS) * BLOCK_BYTES as u64).unwrap(),
            1 => file.sync_all().unwrap(),
            2 => drop(File::options().write(true).truncate(true).open(path(&racer, number)).unwrap()),
            _ => {}
        }
    }
}

pub fn read(mut racer: Racer) {
    while racer.goes_on() {
        let number = racer.dice.below(FILES);
        let file = open(&racer, number);
        for _ in 0..100 {
            let block = racer.dice.below(BLOCKS);
            let sound = (0..TRIES).any(|_| is_sound(&file, number, block));
            assert!(sound, "block {block} of file {number} stays torn");
        }
    }
}

fn is_sound(file: &File, number: u64, block: u64) -> bool {
    let mut found = vec![0; BLOCK_BYTES];
    let read = file.read_at(&mut found, block * BLOCK_BYTES as u64).unwrap();
    // Beyond the end, or a hole; files only end where blocks do.
    read == 0
        || found.iter().all(|byte| *byte == 0)
        || (read == BLOCK_BYTES && is_made(&found, number, block))
}

fn made(number: u64, block: u64, seed: u64) -> Vec<u8> {
    let mut content = noise(seed, BLOCK_BYTES - SUM_BYTES);
    content.extend(sum(&content, number, block));
    content
}

fn is_made(content: &[u8], number: u64, block: u64) -> bool {
    let (content, end) = content.split_at(BLOCK_BYTES - SUM_BYTES);
    sum(content, number, block) == end
}

fn sum(content: &[u8], number: u64, block: u64) -> [u8; SUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(content).update(&number.to_le_bytes()).update(&block.to_le_bytes());
    *hasher.finalize().as_bytes()
}

fn path(racer: &Racer, number: u64) -> std::path::PathBuf {
    racer.path(format!("blocks{number}"))
}

fn open(racer: &Racer, number: u64) -> File {
    File::options().read(true).write(true).create(true).truncate(false).open(path(racer, number)).unwrap()
}
