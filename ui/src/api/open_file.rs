//! A file of the drive, open for as long as a transfer needs it.

use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use tokio::sync::oneshot;
use vfs::{Drive, Error, Handle, Ino, OpenFlags, PeopleError, Reply, VersionContent};

use super::problem::ApiError;

/// An open file; closed when it is dropped. What touches the disk runs where it may block, what waits for other computers holds no
/// thread up.
pub(super) struct OpenFile {
    drive: Arc<Drive>,
    handle: Handle,
}

impl OpenFile {
    /// Opens a file. Blocks for a moment.
    pub(super) fn open(drive: Arc<Drive>, ino: Ino, write: bool) -> Result<Self, Error> {
        let flags = OpenFlags { read: true, write, ..OpenFlags::default() };
        let handle = drive.open(ino, flags)?.handle;
        Ok(Self { drive, handle })
    }

    /// Up to `len` bytes; fewer at the end of the file, and perhaps before.
    pub(super) async fn read(self: &Arc<Self>, offset: u64, len: u32) -> Result<Bytes, ApiError> {
        self.ask(move |file, reply| file.drive.read(file.handle, offset, len, reply)).await
    }

    /// The same, on a thread that may block.
    pub(super) fn read_blocking(&self, offset: u64, len: u32) -> Result<Bytes, Error> {
        vfs::wait(|reply| self.drive.read(self.handle, offset, len, reply))
    }

    /// Writes; answers when the drive has room for more.
    pub(super) async fn write(self: &Arc<Self>, offset: u64, data: Bytes) -> Result<(), ApiError> {
        self.ask(move |file, reply| file.drive.write(file.handle, offset, &data, reply))
            .await
            .map(|_: u32| ())
    }

    /// What was written is on disk.
    pub(super) async fn sync(self: &Arc<Self>) -> Result<(), ApiError> {
        self.ask(|file, reply| file.drive.fsync(file.handle, true, reply)).await
    }

    async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl FnOnce(&Self, Reply<T>) + Send + 'static,
    ) -> Result<T, ApiError> {
        let file = Arc::clone(self);
        answered(move |reply| call(&file, reply)).await
    }
}

/// What a call answers that replies at once or later; where it runs it may block.
async fn answered<T: Send + 'static>(call: impl FnOnce(Reply<T>) + Send + 'static) -> Result<T, ApiError> {
    let (sender, answered) = oneshot::channel();
    let reply = Box::new(move |answer| {
        // Whoever asked may have gone meanwhile.
        let _ = sender.send(answer);
    });
    let bug =
        || ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the drive did not answer; its log says more");
    tokio::task::spawn_blocking(move || call(reply)).await.map_err(|_| bug())?;
    Ok(answered.await.map_err(|_| bug())??)
}

/// An earlier version of a file.
pub(super) struct OpenVersion {
    drive: Arc<Drive>,
    pub(super) content: VersionContent,
}

impl OpenVersion {
    /// Opens it. Blocks until its list of chunks is here.
    pub(super) fn open(drive: Arc<Drive>, path: &[u8], id: &str) -> Result<Self, PeopleError> {
        let content = drive.open_version(path, id)?;
        Ok(Self { drive, content })
    }

    /// As [`OpenFile::read`].
    pub(super) async fn read(self: &Arc<Self>, offset: u64, len: u32) -> Result<Bytes, ApiError> {
        let version = Arc::clone(self);
        answered(move |reply| version.drive.read_version(&version.content, offset, len, reply)).await
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.drive.release(self.handle);
    }
}
