//! Figures, not promises: run with `cargo test --release -p ledger measure -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::fixture::{Cast, at, commit, folder, node};
use crate::{ChunkRef, Content, Kind, NewVersion, Piece, ROOT, RedbBacking, Table};

const FILES: usize = 100_000;

fn per(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1e6 / count as f64
}

fn chunk(seed: usize) -> ChunkRef {
    let hash = |n: usize| *blake3::hash(&n.to_le_bytes()).as_bytes();
    ChunkRef { id: hash(seed * 2), key: hash(seed * 2 + 1), len: 4096 }
}

#[test]
#[ignore = "measures, takes long"]
fn measure_a_hundred_thousand_small_files() {
    let disk = tempfile::NamedTempFile::new().unwrap();
    let storage = redb::backends::FileBackend::new(disk.reopen().unwrap()).unwrap();
    let backing = RedbBacking::open(storage, 8 << 20).unwrap();
    let mut ledger = Cast::new().founder_over(Box::new(backing));
    let dirs: Vec<_> = (0..100).map(|n| folder(&mut ledger, at(1), ROOT, &format!("dir{n}"))).collect();
    commit(&mut ledger, at(2));
    let (mut created, mut published, mut frozen, mut written) =
        (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut inodes = Vec::new();
    for batch in 0..FILES / 10_000 {
        let mut fresh = Vec::new();
        let clock = Instant::now();
        for n in 0..10_000 {
            let now = at((batch * 10_000 + n) as i64);
            let name = format!("file-{:06}", batch * 10_000 + n);
            fresh
                .push(ledger.create_node(now, dirs[n % 100], name.as_bytes(), node(Kind::File)).unwrap().ino);
        }
        created += clock.elapsed();
        let clock = Instant::now();
        for (n, ino) in fresh.iter().enumerate() {
            let now = at((batch * 10_000 + n + 1500) as i64);
            let content = Content::Chunks { fixed: false, pieces: vec![Piece::Chunk(chunk(*ino as usize))] };
            let version = NewVersion { base: None, size: 4096, mtime: now.wall, content };
            ledger.publish(now, *ino, version).unwrap();
        }
        published += clock.elapsed();
        let clock = Instant::now();
        let batch = ledger.freeze(at(0)).unwrap().unwrap();
        frozen += clock.elapsed();
        let clock = Instant::now();
        ledger.writer().write(&batch).unwrap();
        written += clock.elapsed();
        ledger.thaw(batch);
        inodes.append(&mut fresh);
    }
    println!("create  {:.2} us, publish {:.2} us", per(created, FILES), per(published, FILES));
    println!("freeze  {:.2} us/file, write {:.2} us/file", per(frozen, FILES), per(written, FILES));
    let clock = Instant::now();
    for n in 0..FILES {
        let n = (n * 7919) % FILES;
        let name = format!("file-{n:06}");
        assert!(ledger.lookup(dirs[n % 10_000 % 100], name.as_bytes()).unwrap().is_some());
    }
    println!("lookup from redb {:.2} us", per(clock.elapsed(), FILES));
    let clock = Instant::now();
    for n in 0..FILES {
        ledger.inode(inodes[(n * 7919) % FILES]).unwrap().unwrap();
    }
    println!("inode from redb {:.2} us", per(clock.elapsed(), FILES));
    let mut total = 0;
    for table in Table::ALL {
        let (mut rows, mut bytes) = (0usize, 0usize);
        let count = &mut |key: &[u8], value: &[u8]| {
            rows += 1;
            bytes += key.len() + value.len();
            true
        };
        ledger.writer().scan(table, &[], None, count).unwrap();
        total += bytes;
        if rows > 0 {
            println!("{table:?}: {rows} rows, {:.1} bytes/file", bytes as f64 / FILES as f64);
        }
    }
    let on_disk = || disk.as_file().metadata().unwrap().len() as f64 / FILES as f64;
    println!("rows {:.1} bytes/file, file {:.1} bytes/file", total as f64 / FILES as f64, on_disk());
    ledger.writer().compact().unwrap();
    println!("file compacted {:.1} bytes/file", on_disk());
    let clock = Instant::now();
    ledger.digest().unwrap();
    println!("digest {:?}", clock.elapsed());
}
