//! Which inodes of the mount programs watch: what the system tells of their inotify descriptors.
//!
//! ```text
//! /proc/<pid>/fdinfo/<fd>:   inotify wd:1 ino:2a sdev:1f mask:… ignored_mask:0 …        numbers in hexadecimal
//! ```
//!
//! Of processes of other users nothing can be read without being root: their watchers are not woken.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::Dev;
use vfs::Change;

/// Between two looks at all processes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Watched inodes that are remembered at most.
const WATCHED_MAX: usize = 65_536;

/// The watched inodes, as far as known.
pub struct Watched {
    device: Dev,
    inodes: HashSet<u64>,
    looked: Option<Instant>,
}

impl Watched {
    /// Of the file system with this device number.
    pub fn of(device: Dev) -> Self {
        Self { device, inodes: HashSet::new(), looked: None }
    }

    /// Nobody watches anything.
    pub fn is_empty(&self) -> bool {
        self.inodes.is_empty()
    }

    /// Whether somebody watches this inode.
    pub fn has(&self, ino: u64) -> bool {
        self.inodes.contains(&ino)
    }

    /// Whether somebody watches a folder or inode of these changes.
    pub fn is_any_of(&self, exchanges: &[Arc<[Change]>]) -> bool {
        exchanges.iter().flat_map(|changes| changes.iter()).any(|change| match change {
            Change::Entry { dir: ino, .. } | Change::Content(ino) => self.has(*ino),
            _ => false,
        })
    }

    /// Sleeps until [`Watched::look_again`] would look.
    pub fn wait_for_next_look(&self) {
        let since = self.looked.map_or(LOOK_EVERY, |looked| looked.elapsed());
        std::thread::sleep(LOOK_EVERY.saturating_sub(since));
    }

    /// Looks at all processes, unless it did just now.
    pub fn look_again(&mut self) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        self.inodes.clear();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = process.file_name();
            if name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
                self.look_at(&process.path());
            }
        }
    }

    fn look_at(&mut self, process: &Path) {
        for descriptor in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            let is_watcher = fs::read_link(descriptor.path())
                .is_ok_and(|target| target.as_os_str().as_encoded_bytes() == b"anon_inode:inotify");
            if !is_watcher || self.inodes.len() >= WATCHED_MAX {
                continue;
            }
            let told = fs::read_to_string(process.join("fdinfo").join(descriptor.file_name()));
            let lines = told.unwrap_or_default();
            self.inodes.extend(lines.lines().filter_map(|line| watched_in(line, self.device)));
        }
    }
}

/// The inode that a line of `fdinfo` tells of, if it is of this file system.
fn watched_in(line: &str, device: Dev) -> Option<u64> {
    let rest = line.strip_prefix("inotify ")?;
    let field = |name: &str| {
        let value = rest.split(' ').find_map(|field| field.strip_prefix(name))?;
        u64::from_str_radix(value, 16).ok()
    };
    // The kernel's own form: 12 bits major, 20 bits minor.
    let sdev = field("sdev:")?;
    let (major, minor) = ((sdev >> 20) as u32, (sdev & 0xf_ffff) as u32);
    if rustix::fs::makedev(major, minor) == device { field("ino:") } else { None }
}

/// The number of a device told as `major:minor`.
pub fn device_of(text: &str) -> Dev {
    let (major, minor) = text.split_once(':').unwrap_or_default();
    rustix::fs::makedev(major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_this_file_system_count() {
        let line = "inotify wd:1 ino:2a sdev:1f mask:fc6 ignored_mask:0 fhandle-bytes:8 fhandle-type:1";
        assert_eq!(watched_in(line, device_of("0:31")), Some(42));
        assert_eq!(watched_in(line, device_of("0:32")), None);
        let disk = "inotify wd:2 ino:ff sdev:800001 mask:fc6";
        assert_eq!(watched_in(disk, device_of("8:1")), Some(255));
        for other in ["", "pos:\t0", "inotify ", "inotify wd:1 ino:zz sdev:1f"] {
            assert_eq!(watched_in(other, device_of("0:31")), None);
        }
    }
}
