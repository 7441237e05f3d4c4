//! Debian packages the tests need.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::programs::on_path;
use crate::run::{run, say};

/// A package, and a file or program that shows that it (or something as good) is there.
const NEEDED: [(&str, &str); 30] = [
    // The mount of plain users.
    ("fuse3", "fusermount3"),
    // Programs whose work on the drive is compared.
    ("sqlite3", "sqlite3"),
    ("git", "git"),
    ("rsync", "rsync"),
    ("attr", "setfattr"),
    ("iproute2", "ip"),
    // Routers with NAT on networks of the tests' own.
    ("nftables", "nft"),
    ("acl", "setfacl"),
    ("e2fsprogs", "lsattr"),
    // pjdfstest is linked with it.
    ("libacl1-dev", "/usr/include/sys/acl.h"),
    // A file manager on an invisible screen.
    ("xvfb", "Xvfb"),
    ("pcmanfm", "pcmanfm"),
    // Its trash, and the menu that restores from it.
    ("gvfs", "/usr/share/doc/gvfs"),
    ("libfm-modules", "/usr/share/doc/libfm-modules"),
    ("xdotool", "xdotool"),
    ("scrot", "scrot"),
    ("dbus-daemon", "dbus-daemon"),
    ("procps", "ps"),
    ("curl", "curl"),
    // A clock that is set back, or jumps ahead.
    ("faketime", "faketime"),
    // Suites that others wrote to test file systems, and an editor.
    ("stress-ng", "stress-ng"),
    ("fio", "fio"),
    ("dbench", "dbench"),
    ("python3.11", "/usr/bin/python3.11"),
    ("libpython3.11-testsuite", "/usr/lib/python3.11/test/test_os.py"),
    ("vim-tiny", "vim.tiny"),
    // The panel is looked at in a real browser.
    ("chromium", "chromium"),
    ("chromium-driver", "chromedriver"),
    // Where axe-core and schemathesis come from.
    ("npm", "npm"),
    ("python3-venv", "/usr/share/doc/python3-venv"),
];

/// What only the long form of the tests needs: large programs that work on the drive.
const NEEDED_LONG: [(&str, &str); 4] = [
    ("emacs-nox", "emacs"),
    ("libreoffice-writer-nogui", "/usr/lib/libreoffice/program/libswlo.so"),
    ("libreoffice-calc-nogui", "/usr/lib/libreoffice/program/libsclo.so"),
    ("postgresql", "/usr/lib/postgresql"),
];

/// Installs the missing ones.
pub fn install_packages(long: bool) -> Result<()> {
    let long: &[_] = if long { &NEEDED_LONG } else { &[] };
    let missing = NEEDED.iter().chain(long).filter(|(_, sign)| !is_there(sign));
    let missing: Vec<&str> = missing.map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    ensure!(on_path("apt-get").is_some(), "please install what these Debian packages hold: {list}");
    ensure!(is_root()?, "packages are missing: run `sudo apt-get install {list}`, then try again");
    say(&format!("installing {list}"));
    if !install(&missing) {
        // The lists of packages may be missing or old.
        run(apt().arg("update"))?;
        ensure!(install(&missing), "apt-get could not install {list}");
    }
    Ok(())
}

fn install(packages: &[&str]) -> bool {
    run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages)).is_ok()
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.arg("--quiet=2").env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

fn is_there(sign: &str) -> bool {
    if sign.starts_with('/') { Path::new(sign).exists() } else { on_path(sign).is_some() }
}

fn is_root() -> Result<bool> {
    Ok(Command::new("id").arg("-u").output()?.stdout.trim_ascii() == b"0")
}
