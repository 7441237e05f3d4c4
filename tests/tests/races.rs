//! Many threads of several processes on the same names at once: create, rename, unlink, open, truncate, link, readdir, locks,
//! memory maps. Each racer (`tests/src/bin/racer`) holds what it sees against what may be; here is added up what only all
//! of them together know, and the tree must be the same after a restart.
//!
//! `PEERDRIVE_LONG=1` races for minutes, `PEERDRIVE_SEED` with other numbers.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tests::tree::Tree;
use tests::{Daemon, is_long, report, seed, told};

const PROCESSES: u64 = 3;
const RACE_MS: u64 = 8_000;
const LONG_RACE_MS: u64 = 240_000;
/// Length of an appended record, bytes.
const RECORD_BYTES: usize = 64;

#[test]
fn racers_see_nothing_that_cannot_be() {
    let seed = seed(1);
    report(format!("seed {seed}"));
    let mut daemon = Daemon::start();
    let folder = daemon.mount().join("race");
    fs::create_dir(&folder).unwrap();
    let millis = if is_long() { LONG_RACE_MS } else { RACE_MS };
    let racers: Vec<Child> = (0..PROCESSES)
        .map(|number| {
            let mut racer = Command::new(env!("CARGO_BIN_EXE_racer"));
            racer.arg(&folder).args([number, seed, millis].map(|number| number.to_string()));
            racer.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut said = String::new();
    for racer in racers {
        let output = racer.wait_with_output().unwrap();
        let told = told(&output);
        assert!(output.status.success(), "seed {seed}: {}\n{}", output.status, daemon.log_tail() + &told);
        said += &told;
    }
    let said = Said::of(&said);
    said.check(&folder);
    // What the kernel took for a directory's time in the race, it believes for a second.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let before = Tree::of(&daemon.mount());
    daemon.restart();
    Tree::of(&daemon.mount()).assert_same(&before, "after a restart");
    said.check(&folder);
    let scrub = daemon.command(["scrub"]);
    assert!(scrub.status.success(), "{}", told(&scrub));
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log_tail());
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(daemon.json(&["status"])["workspaces"][0]["files"], 0);
}

/// What all racers said.
#[derive(Default)]
struct Said {
    /// How often each name was won.
    won: BTreeMap<u64, u64>,
    counted: u64,
    flocked: u64,
    /// Racer → records.
    appended: BTreeMap<u64, u64>,
    /// Page → last stamp.
    stamped: BTreeMap<u64, u64>,
}

impl Said {
    fn of(text: &str) -> Self {
        let mut said = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |place: usize| words[place].parse::<u64>().unwrap();
            match words[0] {
                "won" => *said.won.entry(number(1)).or_default() += 1,
                "counted" => said.counted += number(1),
                "flocked" => said.flocked += number(1),
                "appended" => drop(said.appended.insert(number(1), number(2))),
                "stamped" => drop(said.stamped.insert(number(1), number(2))),
                _ => panic!("{line}"),
            }
        }
        report(format!(
            "{} names won, {} + {} counted under locks, {} records, {} stamps",
            said.won.len(),
            said.counted,
            said.flocked,
            said.appended.values().sum::<u64>(),
            said.stamped.values().sum::<u64>(),
        ));
        said
    }

    fn check(&self, folder: &Path) {
        assert!(self.won.values().all(|count| *count == 1), "a name was won twice");
        assert_eq!(self.won.len(), fs::read_dir(folder.join("claims")).unwrap().count());
        for (name, count) in [("counted", self.counted), ("flocked", self.flocked)] {
            assert_eq!(fs::read(folder.join(name)).unwrap(), count.to_le_bytes(), "{name}");
        }
        let appended = fs::read(folder.join("appended")).unwrap();
        let mut found = BTreeMap::new();
        for record in appended.chunks(RECORD_BYTES) {
            let text = std::str::from_utf8(record).unwrap();
            let words: Vec<&str> = text.split(' ').collect();
            let next = found.entry(words[1].parse().unwrap()).or_insert(0);
            assert_eq!(words[3].parse::<u64>().unwrap(), *next, "{text}");
            *next += 1;
        }
        assert_eq!(found, self.appended);
        let mapped = fs::File::open(folder.join("mapped")).unwrap();
        for (page, stamp) in &self.stamped {
            let mut last = [0; 8];
            mapped.read_exact_at(&mut last, page * 4096).unwrap();
            assert_eq!(u64::from_le_bytes(last), *stamp, "page {page}");
        }
    }
}
