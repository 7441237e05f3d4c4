//! The words of members on which a host without keys gave chunks up: written durably before anything is done on them.
//!
//! The file is `garbage.log` in the workspace's folder: the records of `swarm::ProofRecord` one after the other behind a head, in
//! `docs/formats/swarm.md`. When it is long it becomes `garbage.log.1` in place of the one before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use swarm::ProofRecord;

const FILE: &str = "garbage.log";
const OLDER: &str = "garbage.log.1";
const HEAD: &[u8; 5] = b"PDgl\x01";
/// Bytes at which a new file is begun.
const FILE_MAX_BYTES: u64 = 16 << 20;

/// The records of one workspace.
pub struct GarbageLog {
    path: PathBuf,
    older: PathBuf,
}

impl GarbageLog {
    /// In this folder, there or not.
    pub fn in_folder(workspace: &Path) -> Self {
        Self { path: workspace.join(FILE), older: workspace.join(OLDER) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a record; it is durable when this returns. What a crash left half written at the end is cut off.
    ///
    /// # Errors
    /// What the disk says, or that the file is of a later release. Then nothing may be done on the record.
    pub fn append(&self, record: &ProofRecord) -> io::Result<()> {
        let mut length = self.whole_bytes()?;
        if length >= FILE_MAX_BYTES {
            fs::rename(&self.path, &self.older)?;
            length = 0;
        }
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        file.set_len(length)?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(length))?;
        if length == 0 {
            file.write_all(HEAD)?;
        }
        file.write_all(&record.encode())?;
        file.sync_all()?;
        match self.path.parent() {
            Some(folder) if length == 0 => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }

    /// Bytes of the file up to the end of its last whole record; 0: there is none.
    fn whole_bytes(&self) -> io::Result<u64> {
        let bytes = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            bytes => bytes?,
        };
        // A crash may have come before its head was whole.
        if bytes.len() < HEAD.len() && HEAD.starts_with(&bytes) {
            return Ok(0);
        }
        if !bytes.starts_with(HEAD) {
            let told =
                format!("{} is of a later release, or no such file: move it away", self.path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, told));
        }
        let mut at = HEAD.len();
        while let Some((_, length)) = ProofRecord::decode_first(&bytes[at..]) {
            at += length;
        }
        Ok(at as u64)
    }
}

#[cfg(test)]
mod tests {
    use ledger::Frontier;
    use ledger::identity::WorkspaceId;
    use ledger::keys::DeviceKey;
    use swarm::{Deed, SignedJudgement};

    use super::*;

    fn record(at_ms: u64) -> ProofRecord {
        let key = DeviceKey::generate(&mut |buffer: &mut [u8]| buffer.fill(1));
        let parties = (WorkspaceId::from_bytes([5; 16]), key.id());
        let ids = (0..4096_u32).map(|number| chunkstore::ChunkId::of(&number.to_le_bytes())).collect();
        let word = swarm::judge(&key, parties, 1, Frontier::default(), ids).unwrap();
        ProofRecord { deed: Deed::Doomed, at_ms, judgement: SignedJudgement::decode(&word).unwrap() }
    }

    fn read(path: &Path) -> Vec<u64> {
        let bytes = fs::read(path).unwrap_or_default();
        let mut rest = bytes.strip_prefix(HEAD).unwrap_or_default();
        let mut read = Vec::new();
        while let Some((record, length)) = ProofRecord::decode_first(rest) {
            rest = &rest[length..];
            read.push(record.at_ms);
        }
        assert!(rest.is_empty());
        read
    }

    #[test]
    fn what_a_crash_left_half_written_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let log = GarbageLog::in_folder(dir.path());
        (0..3).for_each(|at| log.append(&record(at)).unwrap());
        let bytes = fs::read(&log.path).unwrap();
        fs::write(&log.path, &bytes[..bytes.len() - 1]).unwrap();
        log.append(&record(9)).unwrap();
        assert_eq!(read(&log.path), [0, 1, 9]);
        fs::write(&log.path, &HEAD[..3]).unwrap();
        log.append(&record(1)).unwrap();
        assert_eq!(read(&log.path), [1]);
    }

    #[test]
    fn it_is_bounded_and_keeps_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let log = GarbageLog::in_folder(dir.path());
        (0..300).for_each(|at| log.append(&record(at)).unwrap());
        let (older, newer) = (read(&log.older), read(&log.path));
        assert_eq!(newer.last(), Some(&299));
        assert_eq!(older.last().unwrap() + 1, newer[0]);
        let bytes = [&log.path, &log.older].map(|path| path.metadata().unwrap().len());
        assert!(bytes.iter().all(|bytes| *bytes < FILE_MAX_BYTES + (1 << 18)), "{bytes:?}");
    }

    #[test]
    fn a_file_of_a_later_release_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let log = GarbageLog::in_folder(dir.path());
        fs::write(&log.path, b"PDgl\x02more").unwrap();
        assert!(log.append(&record(1)).is_err());
        assert_eq!(fs::read(&log.path).unwrap(), b"PDgl\x02more");
    }
}
