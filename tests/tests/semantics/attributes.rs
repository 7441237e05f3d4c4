//! Attributes.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Timespec, Timestamps, XattrFlags, getxattr, removexattr, setxattr, utimensat,
};
use rustix::io::Errno;
use tests::tree::attributes;
use tests::{Daemon, Start, eventually, is_root, output, program, refused, run, script};

use crate::open;

/// A user who is neither root nor anybody real.
const STRANGER: u32 = 12_345;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A program run by somebody else.
fn as_stranger() -> std::process::Command {
    assert!(is_root(), "run this test as root: it acts as several users");
    let id = STRANGER.to_string();
    let mut command = program("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    command
}

#[test]
fn s60_times() {
    let mut daemon = Daemon::start();
    let times =
        [(1_234_567_890, 123_456_789), (0, 1), (-1, 999_999_999), (-5_000_000_000, 5), (9_000_000_000, 0)];
    let path = |number: usize| daemon.mount().join(number.to_string());
    for (number, (secs, nanos)) in times.into_iter().enumerate() {
        fs::write(path(number), "x").unwrap();
        let time = Timespec { tv_sec: secs, tv_nsec: nanos };
        let both = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, path(number), &both, AtFlags::empty()).unwrap();
    }
    let kept = |mount: &Path| {
        let found = |number: usize| fs::metadata(mount.join(number.to_string())).unwrap();
        let pairs = |number| {
            let file = found(number);
            [(file.mtime(), file.mtime_nsec()), (file.atime(), file.atime_nsec())]
        };
        (0..times.len()).map(pairs).collect::<Vec<_>>()
    };
    let wanted: Vec<_> = times.iter().map(|time| [*time, *time]).collect();
    assert_eq!(kept(&daemon.mount()), wanted);
    daemon.restart();
    assert_eq!(kept(&daemon.mount()), wanted, "after a restart");
}

#[test]
fn s61_what_moves_times() {
    let daemon = Daemon::start();
    let (folder, path) = (daemon.mount().join("folder"), daemon.mount().join("folder/file"));
    fs::create_dir(&folder).unwrap();
    fs::write(&path, "content").unwrap();
    let moved = |what: &str, at: &Path, act: &dyn Fn(), mtime: bool, ctime: bool| {
        let times = || {
            let found = fs::metadata(at).unwrap();
            [(found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec())]
        };
        let before = times();
        act();
        let after = times();
        assert_eq!(
            [after[0] > before[0], after[1] > before[1]],
            [mtime, ctime],
            "{what}: {before:?} {after:?}"
        );
    };
    let file = || open::both(&path);
    moved("write", &path, &|| file().write_all_at(b"x", 0).unwrap(), true, true);
    moved("truncate", &path, &|| file().set_len(3).unwrap(), true, true);
    moved("chmod", &path, &|| set_mode(&path, 0o600), false, true);
    moved("link", &path, &|| fs::hard_link(&path, folder.join("second")).unwrap(), false, true);
    moved("unlink", &path, &|| fs::remove_file(folder.join("second")).unwrap(), false, true);
    let attribute = || setxattr(&path, "user.x", b"x", XattrFlags::empty()).unwrap();
    moved("setxattr", &path, &attribute, false, true);
    moved("read", &path, &|| drop(fs::read(&path).unwrap()), false, false);
    moved("folder: create", &folder, &|| fs::write(folder.join("new"), "").unwrap(), true, true);
    moved(
        "folder: rename",
        &folder,
        &|| fs::rename(folder.join("new"), folder.join("newer")).unwrap(),
        true,
        true,
    );
    moved("folder: unlink", &folder, &|| fs::remove_file(folder.join("newer")).unwrap(), true, true);
    moved("folder: write inside", &folder, &|| file().write_all_at(b"y", 0).unwrap(), false, false);
}

#[test]
fn s62_access_times() {
    let mut daemon = Daemon::start();
    let path = daemon.mount().join("file");
    fs::write(&path, "content").unwrap();
    let old = Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
    let older = Timespec { tv_sec: 900_000_000, tv_nsec: 0 };
    utimensat(CWD, &path, &Timestamps { last_access: older, last_modification: old }, AtFlags::empty())
        .unwrap();
    // What the kernel holds of the file it serves by itself.
    daemon.restart();
    fs::read(&path).unwrap();
    let first = fs::metadata(&path).unwrap().accessed().unwrap();
    assert!(first.elapsed().unwrap().as_secs() < 600, "not renewed");
    daemon.restart();
    fs::read(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().accessed().unwrap(), first, "renewed without need");
}

#[test]
fn s63_modes() {
    let daemon = Start::default().arg("--posix-owners").start();
    let at = |name: &str| daemon.mount().join(name);
    run(script(&daemon.mount(), "umask 027; touch file; mkdir folder; mkfifo pipe"));
    assert_eq!([mode(&at("file")), mode(&at("folder")), mode(&at("pipe"))], [0o640, 0o750, 0o640]);
    for wanted in [0o000, 0o777, 0o4755, 0o2755, 0o1777, 0o7777] {
        set_mode(&at("folder"), wanted);
        assert_eq!(mode(&at("folder")), wanted);
    }
    assert!(is_root(), "run this test as root: it gives files to groups");
    chown(at("folder"), None, Some(STRANGER)).unwrap();
    set_mode(&at("folder"), 0o2775);
    run(script(&at("folder"), "umask 022; touch file; mkdir folder"));
    let group = |name: &str| fs::metadata(at(name)).unwrap().gid();
    assert_eq!([group("folder/file"), group("folder/folder")], [STRANGER; 2]);
    assert_eq!([mode(&at("folder/file")), mode(&at("folder/folder"))], [0o644, 0o2755]);
}

#[test]
fn s64_set_id_bits() {
    let daemon = Start::default().arg("--posix-owners").arg("--allow-other").start();
    let path = daemon.mount().join("file");
    fs::write(&path, "content").unwrap();
    // Root keeps them, as on every Linux file system; others do not.
    set_mode(&path, 0o6777);
    run(as_stranger().args(["bash", "-c", "printf x >> \"$1\"", "bash"]).arg(&path));
    assert_eq!(mode(&path), 0o777, "after a write");
    set_mode(&path, 0o6777);
    chown(&path, Some(STRANGER), None).unwrap();
    assert_eq!(mode(&path), 0o777, "after a change of owner");
    // A program that would run as root says who it is.
    fs::copy("/usr/bin/id", daemon.mount().join("id")).unwrap();
    set_mode(&daemon.mount().join("id"), 0o4755);
    let who = run(as_stranger().arg(daemon.mount().join("id")).arg("-u"));
    assert_eq!(who.trim(), STRANGER.to_string(), "a set-id program got its owner's rights");
}

#[test]
fn s65_owners() {
    assert!(is_root(), "run this test as root: it gives files away");
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    fs::write(&path, "").unwrap();
    let owner = |path: &Path| fs::symlink_metadata(path).map(|found| (found.uid(), found.gid())).unwrap();
    assert_eq!(owner(&path), (0, 0));
    assert_eq!(open::code(chown(&path, Some(STRANGER), None)), Some(Errno::PERM));
    chown(&path, Some(0), Some(0)).unwrap();
    drop(daemon);

    let mut daemon = Start::default().arg("--posix-owners").start();
    let path = daemon.mount().join("file");
    fs::write(&path, "").unwrap();
    symlink("file", daemon.mount().join("link")).unwrap();
    chown(&path, Some(STRANGER), Some(54_321)).unwrap();
    lchown(daemon.mount().join("link"), Some(1), Some(2)).unwrap();
    daemon.restart();
    assert_eq!(owner(&path), (STRANGER, 54_321));
    assert_eq!(owner(&daemon.mount().join("link")), (1, 2));
}

#[test]
fn s66_sticky_folders() {
    let daemon = Start::default().arg("--posix-owners").arg("--allow-other").start();
    let folder = daemon.mount().join("shared");
    fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o1777);
    fs::write(folder.join("of root"), "").unwrap();
    run(as_stranger().arg("touch").arg(folder.join("of the stranger")));
    refused(as_stranger().args(["rm", "-f"]).arg(folder.join("of root")));
    refused(as_stranger().arg("mv").arg(folder.join("of root")).arg(folder.join("taken")));
    run(as_stranger().args(["rm"]).arg(folder.join("of the stranger")));
    set_mode(&folder, 0o777);
    run(as_stranger().args(["rm", "-f"]).arg(folder.join("of root")));
}

#[test]
fn s67_others_stay_out() {
    let daemon = Daemon::start();
    fs::write(daemon.mount().join("file"), "content").unwrap();
    let tried = refused(as_stranger().arg("cat").arg(daemon.mount().join("file")));
    assert!(tried.contains("Permission denied"), "{tried}");
    drop(daemon);
    let daemon = Start::default().arg("--allow-other").start();
    fs::write(daemon.mount().join("file"), "content").unwrap();
    set_mode(&daemon.mount().join("file"), 0o644);
    set_mode(&daemon.mount(), 0o755);
    assert_eq!(run(as_stranger().arg("cat").arg(daemon.mount().join("file"))), "content");
    refused(as_stranger().arg("touch").arg(daemon.mount().join("new")));
}

#[test]
fn s68_extended_attributes() {
    let mut daemon = Daemon::start();
    let path = daemon.mount().join("file");
    fs::write(&path, "content").unwrap();
    let long_name = format!("user.{}", "n".repeat(250));
    let large = tests::noise(1, 64 << 10);
    let set = |name: &str, value: &[u8], flags| setxattr(&path, name, value, flags);
    set("user.large", &large, XattrFlags::empty()).unwrap();
    set("user.empty", b"", XattrFlags::CREATE).unwrap();
    set(&long_name, b"long name", XattrFlags::empty()).unwrap();
    assert_eq!(set("user.empty", b"", XattrFlags::CREATE), Err(Errno::EXIST));
    assert_eq!(set("user.missing", b"", XattrFlags::REPLACE), Err(Errno::NODATA));
    set("user.empty", b"no more", XattrFlags::REPLACE).unwrap();
    assert_eq!(set("user.x", &vec![0; (64 << 10) + 1], XattrFlags::empty()), Err(Errno::TOOBIG));
    assert_eq!(set(&format!("{long_name}n"), b"", XattrFlags::empty()), Err(Errno::RANGE));
    assert_eq!(getxattr(&path, "user.large", &mut [0_u8; 10][..]), Err(Errno::RANGE));
    assert_eq!(getxattr(&path, "user.missing", &mut [0_u8; 10][..]), Err(Errno::NODATA));
    let mount = daemon.mount();
    daemon.restart();
    let kept = attributes(&mount.join("file"));
    assert_eq!(kept.len(), 3);
    assert!(kept[b"user.large".as_slice()] == large);
    assert_eq!(kept[b"user.empty".as_slice()], b"no more");
    removexattr(&path, "user.large").unwrap();
    assert_eq!(removexattr(&path, "user.large"), Err(Errno::NODATA));
    // Attributes may also be moved with the file, and go with it.
    fs::rename(&path, mount.join("moved")).unwrap();
    assert_eq!(attributes(&mount.join("moved")).len(), 2);
}

#[test]
fn s69_own_attributes() {
    let daemon = Daemon::start();
    let path = daemon.mount().join("file");
    fs::write(&path, "content").unwrap();
    let get = |name: &str| {
        let mut value = [0_u8; 200];
        getxattr(&path, name, &mut value[..])
            .map(|length| String::from_utf8_lossy(&value[..length]).into_owned())
    };
    eventually("the file has a version", || {
        get("user.peerdrive.version").is_ok_and(|version| !version.is_empty())
    });
    assert!(get("user.peerdrive.state").is_ok());
    assert_eq!(get("user.peerdrive.copies").as_deref(), Ok("1"));
    assert_eq!(setxattr(&path, "user.peerdrive.version", b"x", XattrFlags::empty()), Err(Errno::PERM));
    assert!(attributes(&path).is_empty());
    // So a copy with all attributes does not try to set them.
    run(program("cp").arg("--preserve=all").arg(&path).arg(daemon.mount().join("copy")));
}

#[test]
fn s70_no_access_lists() {
    let daemon = Daemon::start();
    fs::write(daemon.mount().join("file"), "").unwrap();
    let tried = refused(program("setfacl").current_dir(daemon.mount()).args(["-m", "u:12345:rwx", "file"]));
    assert!(tried.contains("not supported"), "{tried}");
    let shown = output(program("getfacl").current_dir(daemon.mount()).arg("file"));
    assert!(shown.status.success());
}

#[test]
fn s71_inode_numbers() {
    let mut daemon = Daemon::start();
    let mount = daemon.mount();
    for name in ["a", "b", OsStr::from_bytes(b"\xff").to_string_lossy().as_ref()] {
        fs::write(mount.join(name), name).unwrap();
    }
    let numbers = || {
        let mut found: Vec<_> = fs::read_dir(&mount).unwrap().map(|entry| entry.unwrap()).collect();
        found.sort_by_key(fs::DirEntry::file_name);
        found.iter().map(|entry| entry.metadata().unwrap().ino()).collect::<Vec<_>>()
    };
    let before = numbers();
    fs::rename(mount.join("a"), mount.join("aa")).unwrap();
    File::options().append(true).open(mount.join("b")).unwrap();
    assert_eq!(numbers(), before);
    daemon.restart();
    assert_eq!(numbers(), before);
    fs::remove_file(mount.join("aa")).unwrap();
    fs::write(mount.join("a"), "another").unwrap();
    assert!(!before.contains(&fs::metadata(mount.join("a")).unwrap().ino()), "a number is used again");
}
