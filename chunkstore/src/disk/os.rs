//! The real disk.

use std::fs::{self, File, OpenOptions};
use std::io;
#[cfg(target_os = "linux")]
use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use super::{Disk, DiskFile, DiskSpace, Open};

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            Open::Read => &mut options,
            Open::ReadWrite => options.write(true),
            Open::Create => options.write(true).create(true).truncate(false),
            Open::CreateNew => options.write(true).create_new(true),
        };
        Ok(Arc::new(OsFile { file: options.open(path)? }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Folders cannot be opened for syncing on Windows; there the file system's own journal orders names.
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if cfg!(windows) { Ok(()) } else { File::open(dir)?.sync_all() }
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        let stats = fs4::statvfs(path)?;
        Ok(DiskSpace { total_bytes: stats.total_space(), free_bytes: stats.available_space() })
    }
}

#[derive(Debug)]
struct OsFile {
    file: File,
}

impl DiskFile for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        positioned::read_exact_at(&self.file, offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        positioned::write_all_at(&self.file, offset, data)
    }

    #[cfg(target_os = "linux")]
    fn write_pieces_at(&self, offset: u64, pieces: &mut [IoSlice<'_>], read_again: bool) -> io::Result<()> {
        pieces::write_all_at(&self.file, offset, pieces, read_again)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Many pieces in one call.
#[cfg(target_os = "linux")]
mod pieces {
    use std::fs::File;
    use std::io::{self, ErrorKind, IoSlice};

    use rustix::io::{Errno, ReadWriteFlags, pwritev2};

    /// `RWF_DONTCACHE` (Linux 6.14, `linux/fs.h`): pages are written out at once and then given back.
    const DONT_CACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);
    /// Pieces in one call, `IOV_MAX` of Linux.
    const PIECES_MAX: usize = 1024;

    pub(super) fn write_all_at(
        file: &File,
        mut offset: u64,
        mut pieces: &mut [IoSlice<'_>],
        read_again: bool,
    ) -> io::Result<()> {
        let mut flags = if read_again { ReadWriteFlags::empty() } else { DONT_CACHE };
        while !pieces.is_empty() {
            let now = pieces.len().min(PIECES_MAX);
            match pwritev2(file, &pieces[..now], offset, flags) {
                Ok(0) if pieces[..now].iter().any(|piece| !piece.is_empty()) => {
                    return Err(ErrorKind::WriteZero.into());
                }
                Ok(0) => pieces = &mut pieces[now..],
                Ok(written) => {
                    IoSlice::advance_slices(&mut pieces, written);
                    offset += written as u64;
                }
                Err(Errno::INTR) => {}
                // An older kernel, or a file system that cannot.
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) if !flags.is_empty() => {
                    flags = ReadWriteFlags::empty();
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Positioned reads and writes have other names and contracts on each system; std offers no common one.
#[cfg(unix)]
mod positioned {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;

    pub(super) fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        file.read_exact_at(buffer, offset)
    }

    pub(super) fn write_all_at(file: &File, offset: u64, data: &[u8]) -> io::Result<()> {
        file.write_all_at(data, offset)
    }
}

#[cfg(windows)]
mod positioned {
    use std::fs::File;
    use std::io::{self, ErrorKind};
    use std::os::windows::fs::FileExt;

    pub(super) fn read_exact_at(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match file.seek_read(buffer, offset) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    buffer = &mut buffer[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn write_all_at(file: &File, mut offset: u64, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match file.seek_write(data, offset) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    data = &data[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_written_by_position() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        OsDisk.create_dir_all(path.parent().unwrap()).unwrap();
        assert!(OsDisk.open(&path, Open::ReadWrite).is_err());
        let file = OsDisk.open(&path, Open::CreateNew).unwrap();
        assert!(OsDisk.open(&path, Open::CreateNew).is_err());
        file.write_at(3, b"abc").unwrap();
        file.sync_data().unwrap();
        OsDisk.sync_dir(path.parent().unwrap()).unwrap();
        let mut back = [9; 6];
        OsDisk.open(&path, Open::Create).unwrap().read_at(0, &mut back).unwrap();
        assert_eq!(&back, b"\0\0\0abc");
        for (at, read_again) in [(6, true), (2006, false)] {
            let mut pieces = vec![io::IoSlice::new(b"x"); 2000];
            file.write_pieces_at(at, &mut pieces, read_again).unwrap();
        }
        file.write_pieces_at(0, &mut [io::IoSlice::new(b""), io::IoSlice::new(b"ab")], false).unwrap();
        assert_eq!(file.len().unwrap(), 4006);
        let mut pieces = [9; 4006];
        file.read_at(0, &mut pieces).unwrap();
        assert!(pieces.starts_with(b"ab\0abcxx") && pieces[6..].iter().all(|byte| *byte == b'x'));
        assert_eq!(file.read_at(4001, &mut back).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(OsDisk.list(path.parent().unwrap()).unwrap(), ["file"]);
    }

    #[test]
    fn the_disk_knows_its_room() {
        let dir = tempfile::tempdir().unwrap();
        let space = OsDisk.space(dir.path()).unwrap();
        assert!(space.total_bytes >= space.free_bytes && space.total_bytes > 0);
    }
}
