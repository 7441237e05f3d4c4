//! What is copied when a computer loses its disk, comes, leaves or is lost: what is missing, and hardly a byte more.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{eventually, eventually_long, is_long, noise};

use crate::computers::Computers;

const FILE_BYTES: u64 = 4 << 20;
/// A sample of a curve each so often.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// Talk of starting, and of keeping in touch, that no size explains.
const TALK_BYTES: u64 = 2 << 20;

fn status(computers: &Computers, at: usize) -> Value {
    computers.daemons[at].json(&["status"])
}

fn used(computers: &Computers, at: usize) -> u64 {
    status(computers, at)["used"].as_u64().unwrap()
}

/// Bytes that went over all cables, from the network's own counters.
fn sent(computers: &Computers) -> u64 {
    (0..computers.daemons.len()).map(|at| computers.network.place(at).sent_bytes()).sum()
}

fn fill(computers: &Computers, bytes: u64) {
    for number in 0..bytes / FILE_BYTES {
        let file = computers.mount(0).join(format!("file{number}"));
        fs::write(file, noise(number, usize::try_from(FILE_BYTES).unwrap())).unwrap();
    }
    computers.safe(0);
}

/// Whether this computer knows of nothing that is still to be copied.
fn rests(computers: &Computers, at: usize) -> bool {
    let status = status(computers, at);
    let peers = status["peers"].as_array().unwrap();
    let online = peers.iter().filter(|peer| peer["state"] == "online");
    status["mending_chunks"] == 0 && online.map(|peer| &peer["outstanding_chunks"]).all(|chunks| chunks == 0)
}

#[test]
fn a_wiped_disk_is_filled_again_with_what_is_missing_and_little_more() {
    // In the long form five gibibytes.
    let bytes = if is_long() { 5 << 30 } else { 256 << 20 };
    let mut computers = Computers::paired(4, &[]);
    fill(&computers, bytes);
    computers.sync(&[0, 1, 2, 3]);
    eventually_long("all is where it belongs", || (0..4).all(|at| rests(&computers, at)));
    // Of four computers and three copies each has three quarters; the first wrote all and has the rest in its cache.
    let kept = used(&computers, 1);
    computers.daemons[1].kill();
    fs::remove_dir_all(computers.daemons[1].data().join("chunks")).unwrap();
    let before = sent(&computers);
    computers.daemons[1].start_again();
    let (began, mut sampled, mut curve) = (Instant::now(), None, Vec::new());
    eventually_long("all of it is there again", || {
        let missing = kept.saturating_sub(used(&computers, 1));
        let due = sampled.is_none_or(|at: Instant| at.elapsed() >= SAMPLE_EVERY);
        if due || missing == 0 {
            sampled = Some(Instant::now());
            curve.push(format!("{:.1} s {} MiB", began.elapsed().as_secs_f64(), missing >> 20));
        }
        missing < kept / 100 && rests(&computers, 1)
    });
    let (seconds, moved) = (began.elapsed().as_secs_f64(), sent(&computers) - before);
    tests::report(format!(
        "{} MiB missing, {} MiB moved ({:.3} times) in {seconds:.1} s; missing: {}",
        kept >> 20,
        moved >> 20,
        moved as f64 / kept as f64,
        curve.join(", ")
    ));
    assert!(moved <= kept * 12 / 10 + TALK_BYTES, "{moved} bytes for {kept}");
    // Its own copies alone: what placement wants here is here.
    let scrub = computers.daemons[1].json(&["scrub"]);
    assert_eq!((&scrub["bad_chunks"], &scrub["files"]), (&Value::from(0), &Value::from(Vec::<Value>::new())));
    computers.safe(0);
}

/// Reads all files of a drive again and again, past the kernel's cache.
struct Reader {
    ends: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    began: Instant,
    thread: JoinHandle<()>,
}

impl Reader {
    fn start(mount: &Path) -> Self {
        let (ends, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (mount, until, read) = (mount.to_path_buf(), Arc::clone(&ends), Arc::clone(&bytes));
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                for path in files(&mount) {
                    if until.load(Ordering::Relaxed) {
                        break;
                    }
                    read.fetch_add(read_cold(&path), Ordering::Relaxed);
                }
            }
        });
        Self { ends, bytes, began: Instant::now(), thread }
    }

    fn read_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// MiB/s.
    fn end(self) -> f64 {
        let rate = (self.read_bytes() >> 20) as f64 / self.began.elapsed().as_secs_f64();
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().expect("the reader found nothing wrong");
        rate
    }
}

fn files(mount: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(mount).expect("the drive answers").map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("file")))
        .collect()
}

fn read_cold(path: &Path) -> u64 {
    let file = File::open(path).expect("it is there");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("the kernel takes advice");
    let mut reader = file;
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut content).expect("it is read") as u64
}

/// What a change moved, and what the placement calls for.
fn check(what: &str, computers: &Computers, before: u64, least: u64, reads: (f64, f64)) {
    let moved = sent(computers) - before;
    let (alone, meanwhile) = reads;
    tests::report(format!(
        "{what}: {} MiB moved, {} MiB at least ({:.3} times); reads {meanwhile:.0} MiB/s, {alone:.0} before ({:.0} %)",
        moved >> 20,
        least >> 20,
        moved as f64 / least as f64,
        100.0 * meanwhile / alone
    ));
    assert!(
        moved <= least * 12 / 10 + TALK_BYTES,
        "{what}: {moved} bytes moved where {least} are called for"
    );
}

/// Two copies. Weighted rendezvous of n equal hosts gives each 2/n of everything, and moves nothing else than the share of who comes
/// or goes. The reader's computer wrote all of it and has it in its cache still: what it reads is not counted, and what it comes to own is
/// there already.
#[test]
fn a_computer_that_comes_leaves_or_is_lost_moves_its_share_and_little_more() {
    let bytes = if is_long() { 1 << 30 } else { 128 << 20 };
    let mut computers = Computers::apart(4, &["--target", "2"]);
    computers.pair(0, 1, &[]);
    computers.pair(0, 2, &[]);
    let policy = computers.daemons[0].json(&["workspace", "policy", "--copies", "2", "--max", "2"]);
    assert_eq!(policy["copies"], 2);
    fill(&computers, bytes);
    eventually_long("all is where it belongs", || (0..3).all(|at| rests(&computers, at)));
    let reader = Reader::start(&computers.mount(0));
    eventually("it was read four times", || reader.read_bytes() >= 4 * bytes);
    let alone = reader.end();

    // The fourth of four owns half of everything.
    let (before, reader) = (sent(&computers), Reader::start(&computers.mount(0)));
    computers.pair(0, 3, &[]);
    eventually_long("the fourth has its share", || {
        used(&computers, 3) > bytes * 45 / 100 && (0..4).all(|at| rests(&computers, at))
    });
    computers.sync(&[0, 1, 2, 3]);
    check("a fourth joins", &computers, before, bytes / 2, (alone, reader.end()));

    let (before, reader) = (sent(&computers), Reader::start(&computers.mount(0)));
    assert_eq!(computers.daemons[3].json(&["leave"])["state"], "left");
    check("it leaves", &computers, before, bytes / 2, (alone, reader.end()));
    computers.safe(0);

    // Of three each owns two thirds. One is lost: the other two need all.
    computers.daemons[2].kill();
    let (before, reader) = (sent(&computers), Reader::start(&computers.mount(0)));
    eventually("the link is gone", || {
        computers.daemons[0].command(["devices", "lost", "computer2"]).status.success()
    });
    eventually_long("the other has all of it", || {
        used(&computers, 1) > bytes * 97 / 100 && (0..2).all(|at| rests(&computers, at))
    });
    check("one is lost", &computers, before, bytes * 2 / 3, (alone, reader.end()));
    computers.safe(0);
}
