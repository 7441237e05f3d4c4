//! stress-ng's file system class and what else of it works on files, each stressor by itself.

use std::path::Path;

use tests::{is_long, output, program, run, told};

use crate::{folder, names, shared_drive};

/// What runs in the short form.
const SHORT: [&str; 14] = [
    "copy-file",
    "dentry",
    "dnotify",
    "fallocate",
    "fcntl",
    "fpunch",
    "getdent",
    "hdd",
    "lockf",
    "msync",
    "open",
    "rename",
    "sync-file",
    "utime",
];
/// Stressors of other classes that work on files in the folder they are given.
const BEYOND: [&str; 8] = ["aio", "aiol", "loop", "msync", "readahead", "revio", "seek", "sendfile"];
/// Stressors of the class that do not run here.
const EXCLUDED: [(&str, &str); 5] = [
    ("binderfs", "mounts a file system of its own, which is not the drive"),
    (
        "bind-mount",
        "mounts the root elsewhere, which is not the drive; stress-ng itself holds it back as dangerous",
    ),
    ("fiemap", "asks for places on a disk: FUSE has no FS_IOC_FIEMAP, and the drive no such places"),
    ("procfs", "works in /proc only"),
    ("verity", "asks for fs-verity, which FUSE does not have"),
];
/// Copies of a stressor at the same time.
const COPIES: &str = "2";
const SHORT_SECONDS: &str = "1";
const LONG_SECONDS: &str = "5";

#[test]
fn stressors_of_files_verify_what_they_do() {
    let daemon = shared_drive();
    let place = folder(&daemon.mount(), "stress");
    let (stressors, seconds) =
        if is_long() { (all(), LONG_SECONDS) } else { (SHORT.map(str::to_owned).to_vec(), SHORT_SECONDS) };
    let failed: Vec<String> =
        stressors.iter().filter_map(|stressor| stress(stressor, seconds, &place).err()).collect();
    assert!(failed.is_empty(), "{}\n{}", failed.join("\n"), daemon.log_tail());
}

/// The class as this stress-ng knows it, so that a stressor that is new in it is not passed over.
fn all() -> Vec<String> {
    let told = run(program("stress-ng").args(["--class", "filesystem?"]));
    let (_, class) = told.split_once("stressors:").expect("stress-ng tells its class");
    let excluded = |name: &&str| EXCLUDED.iter().any(|(excluded, _)| excluded == name);
    let class = class.split_whitespace().filter(|name| !excluded(name));
    class.chain(BEYOND).map(str::to_owned).collect()
}

fn stress(stressor: &str, seconds: &str, place: &Path) -> Result<(), String> {
    let mut stress = program("stress-ng");
    stress.args([&format!("--{stressor}"), COPIES, "--timeout", seconds, "--verify", "--no-rand-seed"]);
    let ended = output(stress.arg("--stdout").arg("--temp-path").arg(place));
    let (status, told) = (ended.status, told(&ended));
    // It ends well although some of its checks failed, and when it could not run at all.
    let complained = ["fail:", "skipping", "aborted"].iter().any(|sign| told.contains(sign));
    let left = names(place);
    if status.success() && !complained && left.is_empty() {
        return Ok(());
    }
    Err(format!("{stressor}: {status}, left behind: {left:?}\n{told}"))
}
