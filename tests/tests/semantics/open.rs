//! Opening files with the flags that the standard library has no words for.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// For reading and writing; made when it is missing.
pub fn both(path: &Path) -> File {
    with(path, OFlags::empty())
}

/// As [`both`], with flags.
pub fn with(path: &Path, flags: OFlags) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(flags.bits().cast_signed());
    options.open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The system's code of a failure.
pub fn code<T>(done: std::io::Result<T>) -> Option<rustix::io::Errno> {
    done.err().and_then(|error| rustix::io::Errno::from_io_error(&error))
}
