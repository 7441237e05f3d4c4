//! Taking a mount away: politely, and when somebody holds it, without him.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::UnmountFlags;

use super::mountpoint::helper;
use crate::owner::Owner;

/// Processes told of at most.
const MAX_HOLDERS_TOLD: usize = 8;

/// A process that works inside the mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub program: String,
}

/// Unmounts when nobody uses it.
///
/// # Errors
/// [`io::ErrorKind::ResourceBusy`] when somebody does.
pub fn politely(path: &Path) -> io::Result<()> {
    run(path, UnmountFlags::empty(), &["-u"])
}

/// Takes the path away now; whoever has files open keeps them until he closes them.
pub fn detach(path: &Path) -> io::Result<()> {
    run(path, UnmountFlags::DETACH, &["-u", "-z"])
}

/// Writes out what programs wrote through memory maps, which detaching does not wait for.
pub fn flush(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(fs::File::open(path)?)?)
}

/// Takes the path away now and ends the kernel's connection: whoever has files open gets errors from now on, for the
/// drive behind them is about to close. `device` is `major:minor`. Answers whether the connection could be ended; where
/// a plain user cannot reach it (fusectl is not mounted), it lives until this process ends.
pub fn force(path: &Path, device: &str) -> io::Result<bool> {
    if Owner::of_this_process().is_root() {
        rustix::mount::unmount(path, UnmountFlags::FORCE | UnmountFlags::DETACH)?;
        return Ok(true);
    }
    detach(path)?;
    let minor = device.split_once(':').map_or(device, |(_, minor)| minor);
    Ok(fs::write(format!("/sys/fs/fuse/connections/{minor}/abort"), "1").is_ok())
}

/// Who works inside `path`, as far as this user may see it.
pub fn holders(path: &Path) -> Vec<Holder> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id() && holds(*pid, path))
        .map(|pid| Holder { pid, program: program(pid) })
        .take(MAX_HOLDERS_TOLD)
        .collect()
}

fn holds(pid: u32, path: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let of_process = ["cwd", "root", "exe"].map(|link| process.join(link)).into_iter();
    let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
    // The links are texts the kernel writes: reading them does not touch the mount.
    of_process.chain(open).any(|link| fs::read_link(link).is_ok_and(|target| target.starts_with(path)))
}

fn program(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).map_or_else(|_| "?".into(), |name| name.trim_end().into())
}

fn run(path: &Path, flags: UnmountFlags, helper_args: &[&str]) -> io::Result<()> {
    if Owner::of_this_process().is_root() {
        return Ok(rustix::mount::unmount(path, flags)?);
    }
    let helper = helper().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "fusermount3 is missing"))?;
    let output = Command::new(helper).args(helper_args).arg("--").arg(path).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_string();
    // The helper's only sign is its text, and the text is not translated.
    let kind = if why.contains("busy") { io::ErrorKind::ResourceBusy } else { io::ErrorKind::Other };
    Err(io::Error::new(kind, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_who_works_in_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().canonicalize().unwrap();
        let mut child = Command::new("cat")
            .current_dir(&inside)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let found = holders(&inside);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(found.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [child.id()]);
        assert!(holders(&inside).is_empty());
    }

    #[test]
    fn a_folder_that_is_no_mount_cannot_be_unmounted() {
        let dir = tempfile::tempdir().unwrap();
        assert!(politely(dir.path()).is_err());
        assert!(detach(dir.path()).is_err());
    }
}
