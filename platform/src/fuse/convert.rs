//! The kernel's types and the drive's, in both directions.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo, OpenAccMode, OpenFlags, Request, TimeOrNow};
use vfs::{Attr, DirItem, Kind, NewNode, Time, TimeChange};

/// What `stat` calls the preferred size of a read or write, in bytes.
const BLOCK_BYTES: u32 = 4096;

pub fn file_attr(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino),
        size: attr.size,
        blocks: attr.blocks,
        atime: system_time(attr.atime),
        mtime: system_time(attr.mtime),
        ctime: system_time(attr.ctime),
        crtime: system_time(attr.crtime),
        kind: file_type(attr.kind),
        perm: (attr.mode & 0o7777) as u16,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: BLOCK_BYTES,
        flags: 0,
    }
}

pub fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
        Kind::CharDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
    }
}

/// The kind in the type bits of a mode; no bits mean a file.
pub fn kind(mode: u32) -> Option<Kind> {
    Some(match mode & libc::S_IFMT {
        0 | libc::S_IFREG => Kind::File,
        libc::S_IFDIR => Kind::Directory,
        libc::S_IFLNK => Kind::Symlink,
        libc::S_IFIFO => Kind::Fifo,
        libc::S_IFSOCK => Kind::Socket,
        libc::S_IFCHR => Kind::CharDevice,
        libc::S_IFBLK => Kind::BlockDevice,
        _ => return None,
    })
}

/// Something the caller makes. The kernel has taken the umask off already.
pub fn new_node<'a>(caller: &Request, kind: Kind, mode: u32, rdev: u32, target: &'a [u8]) -> NewNode<'a> {
    NewNode { kind, mode: mode & 0o7777, uid: caller.uid(), gid: caller.gid(), rdev, target }
}

/// `append` stays off: the kernel itself puts such writes at the end, and its page cache holds them where it put them.
pub fn open_flags(flags: OpenFlags) -> vfs::OpenFlags {
    let mode = flags.acc_mode();
    vfs::OpenFlags {
        read: mode != OpenAccMode::O_WRONLY,
        write: mode != OpenAccMode::O_RDONLY,
        append: false,
        truncate: flags.0 & libc::O_TRUNC != 0,
        direct: flags.0 & libc::O_DIRECT != 0,
    }
}

pub fn time_change(time: TimeOrNow) -> TimeChange {
    match time {
        TimeOrNow::Now => TimeChange::Now,
        TimeOrNow::SpecificTime(time) => TimeChange::To(kernel_time(time)),
    }
}

pub fn name<'a>(item: &DirItem<'a>) -> &'a OsStr {
    OsStr::from_bytes(item.name)
}

fn system_time(time: Time) -> SystemTime {
    let seconds = Duration::from_secs(time.secs.unsigned_abs());
    let whole = if time.secs < 0 { UNIX_EPOCH.checked_sub(seconds) } else { UNIX_EPOCH.checked_add(seconds) };
    whole.and_then(|whole| whole.checked_add(Duration::from_nanos(time.nanos.into()))).unwrap_or(UNIX_EPOCH)
}

/// What the kernel sent. Before 1970 fuser subtracts the nanoseconds that the kernel meant to be added; here the pair
/// that was sent is found again.
fn kernel_time(time: SystemTime) -> Time {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Time { secs: saturate(after.as_secs()), nanos: after.subsec_nanos() },
        Err(before) => {
            let before = before.duration();
            Time { secs: -saturate(before.as_secs()), nanos: before.subsec_nanos() }
        }
    }
}

fn saturate(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_survive() {
        let time = Time { secs: -2, nanos: 500_000_000 };
        assert_eq!(system_time(time), UNIX_EPOCH - Duration::from_millis(1500));
        let as_fuser_makes_it = UNIX_EPOCH - Duration::new(2, 500_000_000);
        assert_eq!(kernel_time(as_fuser_makes_it), time);
    }

    #[test]
    fn times_after_1970_survive() {
        for time in [Time { secs: 0, nanos: 1 }, Time { secs: 1 << 33, nanos: 999_999_999 }] {
            assert_eq!(kernel_time(system_time(time)), time);
        }
    }

    #[test]
    fn times_beyond_the_system_do_not_panic() {
        system_time(Time { secs: i64::MAX, nanos: u32::MAX });
        system_time(Time { secs: i64::MIN, nanos: 0 });
    }

    #[test]
    fn open_flags_of_the_kernel() {
        let flags = open_flags(OpenFlags(libc::O_WRONLY | libc::O_TRUNC | libc::O_APPEND));
        assert_eq!(flags, vfs::OpenFlags { write: true, truncate: true, ..Default::default() });
        assert!(open_flags(OpenFlags(libc::O_RDWR)).read);
    }

    #[test]
    fn kinds_of_modes() {
        assert_eq!(kind(0o644), Some(Kind::File));
        assert_eq!(kind(libc::S_IFIFO | 0o600), Some(Kind::Fifo));
        assert_eq!(kind(0o170_000), None);
    }
}
