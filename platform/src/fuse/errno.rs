//! One table from the drive's errors to the system's codes.

use fuser::Errno;
use vfs::Error;

/// The code a system call fails with.
pub fn errno(error: Error) -> Errno {
    match error {
        Error::NotFound => Errno::ENOENT,
        Error::Stale => Errno::ESTALE,
        Error::Exists => Errno::EEXIST,
        Error::NotDirectory => Errno::ENOTDIR,
        Error::IsDirectory => Errno::EISDIR,
        Error::NotEmpty => Errno::ENOTEMPTY,
        Error::NotPermitted => Errno::EPERM,
        Error::Denied => Errno::EACCES,
        Error::NameTooLong => Errno::ENAMETOOLONG,
        Error::Invalid => Errno::EINVAL,
        Error::NoSpace => Errno::ENOSPC,
        Error::ReadOnly => Errno::EROFS,
        Error::Io | Error::Missing(_) => Errno::EIO,
        Error::NoAttribute => Errno::ENODATA,
        Error::TooLarge => Errno::EFBIG,
        Error::Unsupported => Errno::EOPNOTSUPP,
        Error::TooManyLinks => Errno::EMLINK,
        Error::BadHandle => Errno::EBADF,
        Error::NoData => Errno::ENXIO,
    }
}
