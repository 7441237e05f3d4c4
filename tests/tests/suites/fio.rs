//! fio writes blocks that carry a checksum, in every way a program can, and reads them back: at once and after a restart.

use std::path::Path;

use tests::tree::Tree;
use tests::{is_long, program, run};

use crate::{folder, shared_drive};

/// A name, the megabytes that its files hold in the short and the long form, and how they are written.
const JOBS: [(&str, u32, u32, &str); 13] = [
    ("calls-random", 8, 128, "--ioengine=psync --rw=randwrite --bs=4k"),
    ("calls-odd-sizes", 8, 128, "--ioengine=psync --rw=randrw --bsrange=512-64k --bs_unaligned=1"),
    ("calls-synced", 2, 32, "--ioengine=psync --rw=randwrite --bs=8k --fsync=16"),
    ("calls-o-sync", 1, 16, "--ioengine=psync --rw=randwrite --bs=4k --sync=1"),
    ("calls-direct", 8, 128, "--ioengine=psync --rw=randrw --bs=4k --direct=1"),
    ("calls-in-order", 32, 1024, "--ioengine=psync --rw=write --bs=1m"),
    ("libaio", 8, 128, "--ioengine=libaio --iodepth=16 --rw=randwrite --bs=16k"),
    ("libaio-direct", 8, 128, "--ioengine=libaio --iodepth=16 --rw=randrw --bssplit=4k/60:64k/40 --direct=1"),
    ("io-uring", 8, 128, "--ioengine=io_uring --iodepth=16 --rw=randrw --bs=4k"),
    ("io-uring-direct", 8, 128, "--ioengine=io_uring --iodepth=16 --rw=randwrite --bs=32k --direct=1"),
    ("map-random", 8, 128, "--ioengine=mmap --rw=randwrite --bs=4k"),
    ("map-mixed", 8, 128, "--ioengine=mmap --rw=randrw --bs=16k"),
    ("many-files", 2, 16, "--ioengine=psync --rw=randwrite --bs=4k --numjobs=3 --nrfiles=16 --overwrite=1"),
];
/// fio draws places and bytes by it.
const SEED: &str = "--randseed=20260301";

#[test]
fn every_block_is_read_as_it_was_written() {
    let mut daemon = shared_drive();
    let place = folder(&daemon.mount(), "fio");
    for job in &JOBS {
        fio(job, &place, &[]);
    }
    let written = Tree::of(&place);
    daemon.restart();
    Tree::of(&place).assert_same(&written, "after a restart");
    for job in &JOBS {
        fio(job, &place, &["--verify_only"]);
    }
}

fn fio(&(name, short, long, how): &(&str, u32, u32, &str), place: &Path, more: &[&str]) {
    let mut fio = program("fio");
    // What it remembers of a job lies where it was started.
    fio.current_dir(place.parent().expect("the mount"))
        .arg(format!("--name={name}"))
        .arg("--directory")
        .arg(place);
    fio.arg(format!("--size={}m", if is_long() { long } else { short }));
    fio.args(["--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", "--thread", SEED]);
    run(fio.args(how.split(' ')).args(more));
}
