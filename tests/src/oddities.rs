//! Files that copies often lose something of.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::{noise, program, run, script};

/// What copies often lose: hard links, symlinks, holes, odd names, modes, exact times, extended attributes.
///
/// # Panics
/// When something cannot be written.
pub fn make_oddities(folder: &Path) {
    try_make(folder).expect("the test's own folder takes odd files");
}

fn try_make(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir(folder)?;
    let at = |name: &str| folder.join(name);
    fs::write(at("one"), "one inode, three names")?;
    fs::hard_link(at("one"), at("two"))?;
    fs::create_dir_all(at("deep/er/still"))?;
    fs::hard_link(at("one"), at("deep/er/three"))?;
    symlink("one", at("link"))?;
    symlink("/nowhere/at/all", at("dangling"))?;
    symlink("deep/er", at("link to a folder"))?;
    fs::create_dir(at("empty folder"))?;
    fs::write(at("empty file"), "")?;
    run(program("mkfifo").arg(at("pipe")));
    make_sparse(&at("sparse"))?;
    for (number, name) in odd_names().into_iter().enumerate() {
        fs::write(folder.join(OsStr::from_bytes(&name)), noise(number as u64, 100))?;
    }
    for mode in [0o000, 0o111, 0o400, 0o600, 0o640, 0o755, 0o777, 0o1644, 0o2755, 0o4755] {
        let path = at(&format!("mode {mode:o}"));
        fs::write(&path, format!("{mode:o}"))?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
    }
    for (name, nanos) in [("a nanosecond", 1), ("nearly a second", 999_999_999)] {
        fs::write(at(name), name)?;
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, nanos);
        File::options().write(true).open(at(name))?.set_modified(time)?;
    }
    for (name, value) in
        [("user.short", b"x".to_vec()), ("user.long", noise(3, 2000)), ("user.\u{e4}", vec![])]
    {
        for path in [at("one"), at("deep")] {
            rustix::fs::setxattr(&path, name, &value, rustix::fs::XattrFlags::empty())?;
        }
    }
    // What is of this very second, some copying programs take for copied.
    let age = "find . -newermt 2020-01-01 -exec touch -h -d '2021-03-04 05:06:07.123456789 UTC' {} +";
    run(script(folder, age));
    Ok(())
}

fn make_sparse(path: &Path) -> anyhow::Result<()> {
    let file = File::create(path)?;
    file.write_all_at(&noise(1, 10_000), 0)?;
    file.write_all_at(&noise(2, 10_000), 30 << 20)?;
    file.set_len(50 << 20)?;
    Ok(())
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
