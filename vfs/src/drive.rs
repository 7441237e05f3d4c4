//! The drive itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chunkstore as _;
use ledger as _;

use crate::*;

/// How a drive behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who owns what the drive shows.
    pub ownership: Ownership,
    /// Bytes of writes held in memory at most.
    pub write_buffer_bytes: usize,
    /// How long superseded versions and deleted files are kept.
    pub retention: Duration,
    /// Copies wanted of everything; what can still be stored is told with it.
    pub target_copies: u32,
}

/// Where a workspace lives.
#[derive(Debug, Clone)]
pub struct WorkspaceFiles {
    /// Folder of index and packs, shared by all workspaces: `<data>/chunks`.
    pub chunks: PathBuf,
    /// The workspace's own folder: `<data>/workspaces/<id>`.
    pub workspace: PathBuf,
}

/// Why a drive did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A part failed; the text says which and what to do.
    #[error("{0}")]
    Failed(String),
}

/// One mounted workspace.
pub struct Drive {}

#[allow(missing_docs, unused_variables, reason = "skeleton")]
impl Drive {
    pub fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Attr, Error> { Err(Error::Unsupported) }
    pub fn make_node(&self, dir: Ino, name: &[u8], node: NewNode<'_>) -> Result<Attr, Error> { Err(Error::Unsupported) }
    pub fn create(&self, dir: Ino, name: &[u8], node: NewNode<'_>, flags: OpenFlags) -> Result<(Attr, Opened), Error> { Err(Error::Unsupported) }
    pub fn link(&self, ino: Ino, dir: Ino, name: &[u8]) -> Result<Attr, Error> { Err(Error::Unsupported) }
    pub fn unlink(&self, dir: Ino, name: &[u8]) -> Result<(), Error> { Err(Error::Unsupported) }
    pub fn remove_dir(&self, dir: Ino, name: &[u8]) -> Result<(), Error> { Err(Error::Unsupported) }
    pub fn rename(&self, dir: Ino, name: &[u8], to_dir: Ino, to_name: &[u8], mode: RenameMode, reply: Reply<()>) { reply(Err(Error::Unsupported)) }
    pub fn read_link(&self, ino: Ino) -> Result<Vec<u8>, Error> { Err(Error::Unsupported) }
    pub fn attr(&self, ino: Ino) -> Result<Attr, Error> { Err(Error::Unsupported) }
    pub fn set_attr(&self, ino: Ino, handle: Option<Handle>, change: AttrChange, reply: Reply<Attr>) { reply(Err(Error::Unsupported)) }
    pub fn get_xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>, Error> { Err(Error::Unsupported) }
    pub fn list_xattr(&self, ino: Ino) -> Result<Vec<Vec<u8>>, Error> { Err(Error::Unsupported) }
    pub fn set_xattr(&self, ino: Ino, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Error> { Err(Error::Unsupported) }
    pub fn remove_xattr(&self, ino: Ino, name: &[u8]) -> Result<(), Error> { Err(Error::Unsupported) }
    pub fn open(&self, ino: Ino, flags: OpenFlags) -> Result<Opened, Error> { Err(Error::Unsupported) }
    pub fn read(&self, handle: Handle, offset: u64, len: u32, reply: Reply<bytes::Bytes>) { reply(Err(Error::Unsupported)) }
    pub fn write(&self, handle: Handle, offset: u64, data: &[u8], reply: Reply<u32>) { reply(Err(Error::Unsupported)) }
    pub fn flush(&self, handle: Handle) -> Result<(), Error> { Err(Error::Unsupported) }
    pub fn release(&self, handle: Handle) {}
    pub fn fsync(&self, handle: Handle, data_only: bool, reply: Reply<()>) { reply(Err(Error::Unsupported)) }
    pub fn fsync_dir(&self, dir: Ino, reply: Reply<()>) { reply(Err(Error::Unsupported)) }
    pub fn sync_all(&self, reply: Reply<()>) { reply(Err(Error::Unsupported)) }
    pub fn allocate(&self, handle: Handle, offset: u64, len: u64, mode: Allocate, reply: Reply<()>) { reply(Err(Error::Unsupported)) }
    pub fn seek(&self, handle: Handle, offset: u64, to: Seek) -> Result<u64, Error> { Err(Error::Unsupported) }
    pub fn copy_range(&self, from: Handle, from_offset: u64, to: Handle, to_offset: u64, len: u64, reply: Reply<u64>) { reply(Err(Error::Unsupported)) }
    pub fn open_dir(&self, ino: Ino) -> Result<Handle, Error> { Err(Error::Unsupported) }
    pub fn release_dir(&self, handle: Handle) {}
    pub fn read_dir(&self, handle: Handle, after_cookie: u64, with_attr: bool, each: &mut dyn FnMut(DirItem<'_>) -> bool) -> Result<(), Error> { Err(Error::Unsupported) }
    pub fn stat_fs(&self) -> Result<StatFs, Error> { Err(Error::Unsupported) }
    pub fn subscribe(&self) -> crossbeam_channel::Receiver<Change> { crossbeam_channel::bounded(1).1 }
    pub fn resolve(&self, path: &[u8]) -> Result<Ino, Error> { Err(Error::Unsupported) }
    pub fn history(&self, path: &[u8]) -> Result<Vec<VersionInfo>, PeopleError> { Ok(vec![]) }
    pub fn restore(&self, path: &[u8], at: &RestoreAt, to: Option<&[u8]>) -> Result<Restored, PeopleError> { Err(PeopleError(String::new())) }
    pub fn whereabouts(&self, path: &[u8]) -> Result<Whereabouts, PeopleError> { Err(PeopleError(String::new())) }
    pub fn status(&self) -> Result<Status, PeopleError> { Err(PeopleError(String::new())) }
    pub fn log(&self, limit: usize) -> Result<Vec<LogLine>, PeopleError> { Ok(vec![]) }
    pub fn scrub(&self, bytes_per_second: Option<u64>, progress: &mut dyn FnMut(&ScrubProgress) -> bool) -> Result<ScrubReport, PeopleError> { Err(PeopleError(String::new())) }
    pub fn doctor(&self) -> Vec<DoctorFinding> { vec![] }
    /// One step of background care: settle, commit, prune, sweep, compact; `idle` allows the heavy ones. Called by the drive's own thread.
    pub fn set_contribution(&self, contribute_bytes: u64, reserve_bytes: Option<u64>) {}
    /// Opens the workspace of `keyring`, making it when its folder is empty.
    pub fn start(disk: Arc<dyn std::any::Any + Send + Sync>, files: WorkspaceFiles, settings: Settings) -> Result<Arc<Self>, OpenError> { Err(OpenError::Failed(String::new())) }
    pub fn close(&self) -> Result<(), Error> { Ok(()) }
}
