//! Whatever is done to a file, it reads as the plain bytes would: unsettled, settled, and after opening again.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod fixture;

use fixture::{Fixture, READ_WRITE, create, noise, read, sync_all, write};
use proptest::prelude::*;
use vfs::{Allocate, AttrChange, ROOT, Seek, wait};

#[derive(Debug, Clone)]
enum Step {
    Write { offset: usize, len: usize, seed: u64 },
    Truncate(usize),
    Punch { offset: usize, len: usize },
    Zero { offset: usize, len: usize },
    Copy { from: usize, to: usize, len: usize },
    Settle,
    Fsync,
    Reopen,
}

const LIMIT: usize = 3 << 20;

fn step() -> impl Strategy<Value = Step> {
    let place = prop_oneof![0..LIMIT, 0..200_000usize, Just(0)];
    let length = prop_oneof![1..5000usize, 1..400_000usize, Just(4096)];
    prop_oneof![
        6 => (place.clone(), length.clone(), any::<u64>()).prop_map(|(offset, len, seed)| Step::Write { offset, len, seed }),
        2 => place.clone().prop_map(Step::Truncate),
        1 => (place.clone(), length.clone()).prop_map(|(offset, len)| Step::Punch { offset, len }),
        1 => (place.clone(), length.clone()).prop_map(|(offset, len)| Step::Zero { offset, len }),
        1 => (place.clone(), place, length).prop_map(|(from, to, len)| Step::Copy { from, to, len }),
        2 => Just(Step::Settle),
        2 => Just(Step::Fsync),
        1 => Just(Step::Reopen),
    ]
}

fn put(model: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if model.len() < offset + data.len() {
        model.resize(offset + data.len(), 0);
    }
    model[offset..offset + data.len()].copy_from_slice(data);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn settling_random_edits_gives_the_plain_file(steps in prop::collection::vec(step(), 1..24)) {
        let fixture = Fixture::default();
        let mut drive = fixture.open();
        let (ino, mut handle) = create(&drive, ROOT, "f");
        let mut model: Vec<u8> = Vec::new();
        for step in steps {
            match step.clone() {
                Step::Write { offset, len, seed } => {
                    let data = noise(seed, len);
                    write(&drive, handle, offset as u64, &data);
                    put(&mut model, offset, &data);
                }
                Step::Truncate(size) => {
                    let change = AttrChange { size: Some(size as u64), ..AttrChange::default() };
                    wait(|reply| drive.set_attr(ino, Some(handle), change, reply)).unwrap();
                    model.resize(size, 0);
                }
                Step::Punch { offset, len } => {
                    wait(|reply| drive.allocate(handle, offset as u64, len as u64, Allocate::PunchHole, reply)).unwrap();
                    let end = model.len().min(offset + len);
                    if offset < end {
                        model[offset..end].fill(0);
                    }
                }
                Step::Zero { offset, len } => {
                    wait(|reply| drive.allocate(handle, offset as u64, len as u64, Allocate::ZeroRange, reply)).unwrap();
                    put(&mut model, offset, &vec![0; len]);
                }
                Step::Copy { from, to, len } => {
                    if from + len <= to || to + len <= from {
                        let copied = wait(|reply| drive.copy_range(handle, from as u64, handle, to as u64, len as u64, reply)).unwrap();
                        let end = model.len().min(from + len);
                        let data = model.get(from..end).unwrap_or_default().to_vec();
                        prop_assert_eq!(copied as usize, data.len());
                        if !data.is_empty() {
                            put(&mut model, to, &data);
                        }
                    }
                }
                Step::Settle => sync_all(&drive),
                Step::Fsync => wait(|reply| drive.fsync(handle, false, reply)).unwrap(),
                Step::Reopen => {
                    drive.release(handle);
                    drive.close().unwrap();
                    drop(drive);
                    drive = fixture.open();
                    prop_assert_eq!(drive.lookup(ROOT, b"f").unwrap().ino, ino);
                    handle = drive.open(ino, READ_WRITE).unwrap().handle;
                }
            }
            prop_assert_eq!(drive.attr(ino).unwrap().size as usize, model.len(), "after {:?}", step);
            prop_assert!(read(&drive, handle, 0, model.len() + 10) == model, "content after {:?}", step);
        }
        sync_all(&drive);
        prop_assert!(read(&drive, handle, 0, model.len()) == model);
    }
}

#[test]
fn a_large_stream_is_cut_while_it_arrives_and_reads_back() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let (ino, handle) = create(&drive, ROOT, "big");
    let data = noise(7, 150 << 20);
    write(&drive, handle, 0, &data);
    drive.release(handle);
    sync_all(&drive);
    let chunks = drive.whereabouts(b"big").unwrap().chunks;
    assert!(chunks > 1000, "{chunks} chunks: pages were needed");
    drive.close().unwrap();
    let drive = fixture.open();
    let handle = drive.open(ino, READ_WRITE).unwrap().handle;
    assert!(read(&drive, handle, 0, data.len()) == data);
    // One change in the middle makes few new chunks.
    let before = drive.status().unwrap().chunks;
    write(&drive, handle, 100 << 20, b"changed");
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    sync_all(&drive);
    let new = drive.status().unwrap().chunks - before;
    assert!(new <= 6, "{new} new chunks for seven bytes");
    assert_eq!(
        read(&drive, handle, (100 << 20) - 1, 9),
        [&data[(100 << 20) - 1..100 << 20], b"changed", &data[(100 << 20) + 7..(100 << 20) + 8]].concat()
    );
}

/// Writes a file from front to back in the calls that a copying program makes.
fn write_whole(drive: &vfs::Drive, name: &str, content: &[u8]) {
    let (_, handle) = create(drive, ROOT, name);
    for (at, part) in content.chunks(1 << 20).enumerate() {
        write(drive, handle, (at as u64) << 20, part);
    }
    drive.release(handle);
    sync_all(drive);
}

#[test]
fn a_byte_inserted_into_a_large_file_makes_three_new_chunks_at_most() {
    // Across the border at which chunks become larger, in the long form.
    let mib = if std::env::var_os("PEERDRIVE_LONG").is_some() { 512 } else { 48 };
    let fixture = Fixture::default();
    let drive = fixture.open();
    let mut content = noise(3, mib << 20);
    write_whole(&drive, "before", &content);
    let before = drive.status().unwrap().chunks;
    content.insert((mib << 19) + 12_345, b'!');
    write_whole(&drive, "after", &content);
    // Pages list the chunks: one of them names the new ones, and one of pages names that.
    let pages = 2;
    let made = drive.status().unwrap().chunks - before;
    assert!(made <= 3 + pages, "{made} chunks were made");
    assert!(fixture::read_file(&drive, "after") == content);
}

#[test]
fn a_sparse_file_of_eight_exbibytes_is_a_hole() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let (ino, handle) = create(&drive, ROOT, "sparse");
    let end = i64::MAX as u64;
    write(&drive, handle, end - 10, b"0123456789");
    sync_all(&drive);
    assert_eq!(drive.attr(ino).unwrap().size, end);
    assert_eq!(drive.seek(handle, 0, Seek::Hole), Ok(0));
    let data = drive.seek(handle, 0, Seek::Data).unwrap();
    assert!(data >= end - (64 << 10) && data <= end - 10, "data at {data}");
    assert_eq!(read(&drive, handle, end - 12, 20), b"\0\x000123456789");
    assert_eq!(drive.seek(handle, end, Seek::Data), Err(vfs::Error::NoData));
}

#[test]
fn a_file_overwritten_inside_is_cut_at_fixed_blocks() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let (_, handle) = create(&drive, ROOT, "base.db");
    let mut data = noise(3, 8 << 20);
    write(&drive, handle, 0, &data);
    sync_all(&drive);
    for round in 0..4u64 {
        for spot in 0..20u64 {
            let at = ((spot * 7919 + round * 104_729) * 4096 % (8 << 20)) as usize;
            let page = noise(round * 100 + spot, 4096);
            write(&drive, handle, at as u64, &page);
            data[at..at + 4096].copy_from_slice(&page);
        }
        sync_all(&drive);
    }
    assert!(drive.whereabouts(b"base.db").unwrap().fixed);
    let before = drive.status().unwrap().chunks;
    write(&drive, handle, 5 << 20, b"one page");
    data[5 << 20..(5 << 20) + 8].copy_from_slice(b"one page");
    sync_all(&drive);
    assert!(drive.status().unwrap().chunks - before <= 8);
    assert!(read(&drive, handle, 0, data.len()) == data);
}

#[test]
fn copying_a_range_moves_no_data() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let (_, from) = create(&drive, ROOT, "from");
    let data = noise(11, 20 << 20);
    write(&drive, from, 0, &data);
    sync_all(&drive);
    let before = drive.status().unwrap();
    let (_, to) = create(&drive, ROOT, "to");
    assert_eq!(wait(|reply| drive.copy_range(from, 0, to, 0, 1 << 30, reply)), Ok(20 << 20));
    sync_all(&drive);
    let after = drive.status().unwrap();
    assert_eq!(after.chunks, before.chunks);
    assert!(read(&drive, to, 0, data.len()) == data);
}
