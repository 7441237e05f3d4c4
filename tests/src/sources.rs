//! Real files to work on: the sources of this project's own dependencies, as cargo keeps them, and a folder of oddities.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::{noise, program, run, script};

/// Bytes of real files in a run that people wait for.
const SHORT_BYTES: u64 = 50 << 20;
/// Bytes and files of a run with `PEERDRIVE_LONG=1`.
const LONG_BYTES: u64 = 1 << 30;
const LONG_FILES: u64 = 30_000;

/// Whether the long form of the tests was asked for (`PEERDRIVE_LONG=1`).
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("PEERDRIVE_LONG").is_some_and(|value| value == "1")
}

/// Makes a folder of real sources (50 MB; 1 GiB and 30 000 files in the long form) with a folder of oddities in it.
///
/// # Panics
/// When cargo keeps too few sources, or something cannot be written.
pub fn make_sources(folder: &Path) {
    fs::create_dir(folder).expect("a new folder");
    let (mut bytes, mut files) = (0, 0);
    let (bytes_wanted, files_wanted) = if is_long() { (LONG_BYTES, LONG_FILES) } else { (SHORT_BYTES, 0) };
    let packages = packages();
    // The long form needs more than cargo may keep: then some come twice.
    for round in 0..8 {
        for package in &packages {
            if bytes >= bytes_wanted && files >= files_wanted {
                return make_oddities(&folder.join("oddities"));
            }
            let name = package.file_name().expect("a package has a name").to_string_lossy();
            let copy = folder.join(format!("{round}-{name}"));
            run(program("cp").arg("-a").arg(package).arg(&copy));
            let (more_bytes, more_files) = measure(&copy);
            bytes += more_bytes;
            files += more_files;
        }
    }
    panic!("cargo keeps too few sources here: {bytes} bytes, {files} files; run `cargo fetch`");
}

/// What copies often lose: hard links, symlinks, holes, odd names, modes, exact times, extended attributes.
///
/// # Panics
/// When something cannot be written.
pub fn make_oddities(folder: &Path) {
    fs::create_dir(folder).expect("a new folder");
    let at = |name: &str| folder.join(name);
    fs::write(at("one"), "one inode, three names").unwrap();
    fs::hard_link(at("one"), at("two")).unwrap();
    fs::create_dir_all(at("deep/er/still")).unwrap();
    fs::hard_link(at("one"), at("deep/er/three")).unwrap();
    symlink("one", at("link")).unwrap();
    symlink("/nowhere/at/all", at("dangling")).unwrap();
    symlink("deep/er", at("link to a folder")).unwrap();
    fs::create_dir(at("empty folder")).unwrap();
    fs::write(at("empty file"), "").unwrap();
    run(program("mkfifo").arg(at("pipe")));
    make_sparse(&at("sparse"));
    for (number, name) in odd_names().into_iter().enumerate() {
        fs::write(folder.join(OsStr::from_bytes(&name)), noise(number as u64, 100)).unwrap();
    }
    for mode in [0o000, 0o111, 0o400, 0o600, 0o640, 0o755, 0o777, 0o1644, 0o2755, 0o4755] {
        let path = at(&format!("mode {mode:o}"));
        fs::write(&path, format!("{mode:o}")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    for (name, nanos) in [("a nanosecond", 1), ("nearly a second", 999_999_999)] {
        fs::write(at(name), name).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, nanos);
        File::options().write(true).open(at(name)).unwrap().set_modified(time).unwrap();
    }
    for (name, value) in
        [("user.short", b"x".to_vec()), ("user.long", noise(3, 2000)), ("user.\u{e4}", vec![])]
    {
        for path in [at("one"), at("deep")] {
            rustix::fs::setxattr(&path, name, &value, rustix::fs::XattrFlags::empty()).unwrap();
        }
    }
    // What is of this very second, some copying programs take for copied.
    let age = "find . -newermt 2020-01-01 -exec touch -h -d '2021-03-04 05:06:07.123456789 UTC' {} +";
    run(&mut script(folder, age));
}

fn make_sparse(path: &Path) {
    let file = File::create(path).unwrap();
    file.write_all_at(&noise(1, 10_000), 0).unwrap();
    file.write_all_at(&noise(2, 10_000), 30 << 20).unwrap();
    file.set_len(50 << 20).unwrap();
}

fn odd_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        " ",
        "-rf",
        "new\nline",
        "tab\t",
        "quote'\"`",
        "back\\slash",
        "*?[x]",
        "\u{1f980}",
        "a\u{308}",
        "\u{e4}",
        ".hidden",
        "...",
        "CON",
        "a:b",
        "trailing. ",
    ]
    .map(|name| name.as_bytes().to_vec())
    .to_vec();
    names.push(vec![0xff, 0xfe, 1]);
    names.push(vec![b'x'; 255]);
    names
}

fn packages() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(Path::new(&home).join(".cargo"))
    });
    let sources = home.expect("cargo has a home").join("registry/src");
    let registries = fs::read_dir(&sources).unwrap_or_else(|error| panic!("{}: {error}", sources.display()));
    let mut packages: Vec<PathBuf> = registries
        .flat_map(|registry| fs::read_dir(registry.unwrap().path()).unwrap())
        .map(|package| package.unwrap().path())
        .collect();
    packages.sort();
    packages
}

fn measure(folder: &Path) -> (u64, u64) {
    let sizes = run(program("find").arg(folder).args(["-type", "f", "-printf", "%s\\n"]));
    let sizes: Vec<u64> = sizes.lines().map(|size| size.parse().unwrap()).collect();
    (sizes.iter().sum(), sizes.len() as u64)
}
