//! What was deleted is given up by a host without keys, on a member's signed word, and what is written again meanwhile stays.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tests::{eventually_long, noise, told};

use crate::computers::Computers;

/// To this all pauses and graces are cut: days and hours otherwise.
const PAUSE_MS: &str = "4000";
const FILE_BYTES: usize = 3 << 20;
/// A pack is written anew when more than half of it is dead: this much more than what stays.
const GONE_BYTES: usize = 4 * FILE_BYTES;
/// Of a record in `garbage.log`: deed, time, length; then the judgement; then a sum. See `docs/formats/swarm.md`.
const RECORD_HEAD_BYTES: usize = 13;
const RECORD_SUM_BYTES: usize = 8;

/// A member who keeps no history, and a host.
fn member_and_host() -> Computers {
    let change = |_, start: tests::Start| start.env("PEERDRIVE_TEST_GARBAGE_MS", PAUSE_MS);
    let mut computers = Computers::apart_with(2, &[], change);
    computers.pair(0, 1, &["--role", "host"]);
    assert!(computers.daemons[0].stop().success());
    computers.daemons[0].add_setting("history = \"0s\"");
    computers.daemons[0].start_again();
    computers
}

fn garbage(computers: &Computers) -> Value {
    computers.daemons[1].json(&["status"])["garbage"].clone()
}

/// Deeds of the records, and in how many it is so: 1 for doomed, 2 for given up.
fn deeds(path: &PathBuf) -> [usize; 2] {
    let bytes = fs::read(path).unwrap();
    let mut rest = bytes.strip_prefix(b"PDgl\x01").expect("the head of the log");
    let mut deeds = [0; 2];
    while !rest.is_empty() {
        deeds[usize::from(rest[0]) - 1] += 1;
        let length = u32::from_be_bytes(rest[9..RECORD_HEAD_BYTES].try_into().unwrap()) as usize;
        let (record, next) = rest.split_at(RECORD_HEAD_BYTES + length + RECORD_SUM_BYTES);
        assert_eq!(record[RECORD_HEAD_BYTES..][..4], *b"PDju", "a signed judgement");
        rest = next;
    }
    deeds
}

#[test]
fn what_is_deleted_is_given_up_by_a_host_on_a_signed_word_and_what_is_written_again_stays() {
    let mut computers = member_and_host();
    let mount = computers.mount(0);
    for (name, seed, bytes) in
        [("kept", 1, FILE_BYTES), ("gone", 2, GONE_BYTES), ("comes back", 3, FILE_BYTES)]
    {
        fs::write(mount.join(name), noise(seed, bytes)).unwrap();
    }
    computers.safe(0);
    let used = |computers: &Computers| computers.daemons[1].json(&["status"])["used"].as_u64().unwrap();
    let before = used(&computers);
    assert!(before >= (2 * FILE_BYTES + GONE_BYTES) as u64);
    fs::remove_file(mount.join("gone")).unwrap();
    fs::remove_file(mount.join("comes back")).unwrap();
    // Both are doomed; then the one is written again, mostly while the host waits to look a second time. On a machine that is slow to
    // look here it has been given up by then, and is sent again.
    eventually_long("what was deleted is doomed", || {
        let told = garbage(&computers);
        told["waiting_chunks"] != 0 || told["collected_chunks"] != 0
    });
    fs::write(mount.join("under another name"), noise(3, FILE_BYTES)).unwrap();
    computers.safe(0);
    eventually_long("the room of what was deleted is free", || {
        let told = garbage(&computers);
        told["collected_chunks"].as_u64().unwrap() > 0 && used(&computers) < before - GONE_BYTES as u64 / 2
    });
    let told_of = garbage(&computers);
    let log = PathBuf::from(told_of["proofs"].as_str().unwrap());
    let [doomed, collected] = deeds(&log);
    assert!(doomed > 0 && collected > 0, "{doomed} and {collected} in {}", log.display());
    let shown = told(&computers.daemons[1].command(["status"]));
    assert!(shown.contains("given up since the start") && shown.contains("garbage.log"), "{shown}");
    let doctor = told(&computers.daemons[1].command(["doctor"]));
    assert!(doctor.contains("PEERDRIVE_TEST_GARBAGE_MS"), "{doctor}");
    // Another whole round of it.
    eventually_long("the host has looked again", || {
        deeds(&log)[1] > collected || deeds(&log)[0] > doomed || garbage(&computers)["waiting_chunks"] == 0
    });
    // From now on the host alone has what is read.
    computers.daemons[0].kill();
    fs::remove_dir_all(computers.daemons[0].data().join("chunks")).unwrap();
    computers.daemons[0].start_again();
    computers.sees(0, "kept", &noise(1, FILE_BYTES));
    computers.sees(0, "under another name", &noise(3, FILE_BYTES));
    computers.misses(0, "gone");
}
