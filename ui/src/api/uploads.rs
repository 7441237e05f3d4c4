//! Resumable uploads by the tus 1.0 protocol: creation, creation with content, termination, checksum, expiration.
//!
//! ```text
//! POST  /uploads?path=…          Upload-Length: N ─▶ 201, Location        a partial file in the drive, with the length in its note
//! HEAD  /uploads/INO-TAG         ─▶ Upload-Offset                         as much as the file holds, after a crash too
//! PATCH /uploads/INO-TAG         Upload-Offset: n, bytes… ─▶ 204          at the end: the next version of the file at its path
//! DELETE /uploads/INO-TAG        ─▶ 204
//! ```
//!
//! What comes with a checksum counts only when it was right: until then the note says from where on nothing is certain, so that a crash
//! in the middle of it leaves nothing behind that was never checked. An upload that nobody sent to for a week is given up.
//!
//! An address names the partial file by its inode, which is this computer's own number, and a tag that only who began it knows.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use vfs::{Drive, Ino};

use super::open_file::OpenFile;
use super::problem::ApiError;
use super::query;
use crate::moment;

/// Uploads that receive at a time.
const MAX_RECEIVING: usize = 16;
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;
/// After so many bytes the upload is made durable, so that a crash costs no more. Bytes.
const DURABLE_STEP_BYTES: u64 = 64 << 20;
/// An upload that nobody sent to for so long is given up.
pub(super) const UPLOAD_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// What an `Upload-Checksum` is made with.
pub(super) const CHECKSUM_ALGORITHM: &str = "sha1";
/// A sender that is silent for so long is given up; what came is kept.
const SILENCE: Duration = Duration::from_secs(30);

/// What a partial file's note says, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Of the upload's address.
    tag: String,
    /// Length of the whole.
    length: u64,
    /// Where it goes, percent-encoded.
    path: String,
    /// From here on, what is in the file was not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unchecked_from: Option<u64>,
}

/// One upload, as its address and note say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upload {
    pub(super) ino: Ino,
    pub(super) length: u64,
    pub(super) path: Vec<u8>,
    /// Nobody sent to it for [`UPLOAD_LIFE`] then.
    pub(super) expires: SystemTime,
    note: Note,
}

impl Upload {
    /// Somebody sends to it: its time begins anew.
    pub(super) fn sent_to_now(self) -> Self {
        Self { expires: SystemTime::now() + UPLOAD_LIFE, ..self }
    }
}

/// What was announced of the bytes that come: their SHA-1, the one algorithm that every tus server must know. It finds what the way
/// damaged, and is no protection against anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checksum([u8; 20]);

impl Checksum {
    /// Reads `Upload-Checksum`: the algorithm and base64.
    pub(super) fn parse(header: &str) -> Result<Self, ApiError> {
        let wrong = || ApiError::bad("Upload-Checksum is \"sha1\" and 20 bytes in base64");
        let (algorithm, value) = header.trim().split_once(' ').ok_or_else(wrong)?;
        if algorithm != CHECKSUM_ALGORITHM {
            return Err(wrong());
        }
        let value = data_encoding::BASE64.decode(value.trim().as_bytes()).map_err(|_| wrong())?;
        value.try_into().map(Self).map_err(|_| wrong())
    }
}

/// Which uploads receive right now: one sender each.
#[derive(Default)]
pub(super) struct Uploads {
    receiving: Mutex<BTreeSet<Ino>>,
}

/// The one sender of an upload; ends when it is dropped.
pub(super) struct Receiving {
    uploads: Arc<Uploads>,
    ino: Ino,
}

impl Uploads {
    /// # Errors
    /// Somebody sends already, or too many do.
    pub(super) fn receive(self: &Arc<Self>, ino: Ino) -> Result<Receiving, ApiError> {
        // A set of numbers: nothing is half done in it.
        let mut receiving = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        if receiving.contains(&ino) {
            return Err(ApiError::new(
                StatusCode::LOCKED,
                "somebody sends to this upload already: wait for it to end",
            ));
        }
        if receiving.len() >= MAX_RECEIVING {
            return Err(ApiError::busy("too many uploads at once: send fewer at a time"));
        }
        receiving.insert(ino);
        Ok(Receiving { uploads: Arc::clone(self), ino })
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.uploads.receiving.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.ino);
    }
}

/// Begins an upload to `path`; its address is the answer.
pub(super) fn begin(
    drive: &Drive,
    path: &[u8],
    length: u64,
    tag: &str,
) -> Result<(Upload, String), ApiError> {
    let status = drive.status()?;
    if length > status.can_store_bytes {
        let told = format!(
            "the drive can take {} bytes more, and this has {length}: raise the contribution, or free the disk",
            status.can_store_bytes
        );
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, told));
    }
    let note = Note { tag: tag.into(), length, path: query::encode(path), unchecked_from: None };
    let ino = drive.begin_partial(path, tag, &note.to_bytes())?;
    let expires = SystemTime::now() + UPLOAD_LIFE;
    Ok((Upload { ino, length, path: path.into(), expires, note }, format!("{ino}-{tag}")))
}

impl Note {
    /// None if it is no note.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain fields have a JSON")
    }
}

/// The upload that an address names, and how much of it is here.
pub(super) fn find(drive: &Drive, address: &str) -> Result<(Upload, u64), ApiError> {
    let none = || ApiError::new(StatusCode::NOT_FOUND, "there is no such upload (any more): begin it anew");
    let (ino, tag) = address.split_once('-').ok_or_else(none)?;
    let ino: Ino = ino.parse().map_err(|_| none())?;
    let note = drive.partial_note(ino)?.ok_or_else(none)?;
    let note = Note::parse(&note).ok_or_else(none)?;
    if note.tag != tag {
        return Err(none());
    }
    let path = query::decoded(&note.path).ok_or_else(none)?;
    let attr = drive.attr(ino)?;
    let offset = note.unchecked_from.map_or(attr.size, |checked| attr.size.min(checked));
    if offset > note.length {
        let told = "somebody wrote to the partial file, and it is longer than the whole: delete the upload and begin it anew";
        return Err(ApiError::refused(told));
    }
    let expires = moment::to_system(attr.mtime) + UPLOAD_LIFE;
    Ok((Upload { ino, length: note.length, path, expires, note }, offset))
}

/// Before a sender writes at `from`: what was not checked goes, and what comes with a checksum is noted as unchecked.
pub(super) fn ready(drive: &Drive, upload: &Upload, from: u64, is_checked: bool) -> Result<(), ApiError> {
    let unchecked_from = is_checked.then_some(from);
    let note = Note { unchecked_from, ..upload.note.clone() };
    if note != upload.note || is_checked {
        drive.cut_partial(upload.ino, from)?;
        drive.set_partial_note(upload.ino, &note.to_bytes())?;
    }
    Ok(())
}

/// What was noted as unchecked is as it was announced.
pub(super) fn accept(drive: &Drive, upload: &Upload) -> Result<(), ApiError> {
    Ok(drive
        .set_partial_note(upload.ino, &Note { unchecked_from: None, ..upload.note.clone() }.to_bytes())?)
}

/// Gives up what nobody sent to for [`UPLOAD_LIFE`] before `now`; how many went. What is being sent to stays.
pub(super) fn sweep(drive: &Drive, uploads: &Arc<Uploads>, now: SystemTime) -> Result<usize, vfs::Error> {
    let mut swept = 0;
    for ino in drive.abandoned_partials(moment::from_system(now - UPLOAD_LIFE))? {
        let Ok(_receiving) = uploads.receive(ino) else { continue };
        match drive.drop_partial(ino) {
            // Its sender, or another computer, was faster.
            Err(vfs::Error::NotFound) => {}
            dropped => dropped.map(|()| swept += 1)?,
        }
    }
    Ok(swept)
}

/// Writes what comes; how far the upload then is. A connection that breaks is no error: the sender asks how far it came.
pub(super) async fn take_in(
    file: &Arc<OpenFile>,
    upload: &Upload,
    from: u64,
    mut body: Body,
    checksum: Option<&Checksum>,
) -> Result<u64, ApiError> {
    let (mut at, mut durable, mut gathered, mut hash) = (from, from, BytesMut::new(), Sha1::new());
    loop {
        let Some(data) = next_piece(&mut body).await else { break };
        if data.len() as u64 > upload.length - at - gathered.len() as u64 {
            return Err(ApiError::bad(format!(
                "more came than the {} bytes that were announced",
                upload.length
            )));
        }
        gathered.extend_from_slice(&data);
        if checksum.is_some() {
            hash.update(&data);
        }
        if gathered.len() >= WRITE_BYTES {
            at = write(file, at, &mut gathered).await?;
        }
        if at - durable >= DURABLE_STEP_BYTES {
            file.sync().await?;
            durable = at;
        }
    }
    at = write(file, at, &mut gathered).await?;
    if checksum.is_some_and(|announced| announced.0[..] != hash.finalize()[..]) {
        let told = "what came is not what the checksum says, and was dropped: send it again";
        return Err(ApiError::new(checksum_mismatch(), told));
    }
    if at > durable && at < upload.length {
        file.sync().await?;
    }
    Ok(at)
}

/// The status that tus has for this.
fn checksum_mismatch() -> StatusCode {
    StatusCode::from_u16(460).expect("three digits make a status")
}

async fn write(file: &Arc<OpenFile>, at: u64, gathered: &mut BytesMut) -> Result<u64, ApiError> {
    let data = gathered.split().freeze();
    let end = at + data.len() as u64;
    if !data.is_empty() {
        file.write(at, data).await?;
    }
    Ok(end)
}

/// None at the end, when the connection broke, and when the sender is silent for too long.
async fn next_piece(body: &mut Body) -> Option<Bytes> {
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await.ok()??.ok()?;
        if let Ok(data) = frame.into_data() {
            return Some(data);
        }
    }
}

/// The value of a key in `Upload-Metadata`: pairs of a name and base64, parted by commas.
pub(super) fn metadata(header: &str, key: &str) -> Option<Vec<u8>> {
    let mut pairs = header.split(',').map(|pair| pair.trim().split_once(' ').unwrap_or((pair.trim(), "")));
    let (_, value) = pairs.find(|(name, _)| *name == key)?;
    data_encoding::BASE64.decode(value.trim().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_found_by_its_key() {
        let header = "filetype aW1hZ2UvcG5n, filename d29ybGQucG5n,empty";
        assert_eq!(metadata(header, "filename").unwrap(), b"world.png");
        assert_eq!(metadata(header, "empty").unwrap(), b"");
        assert_eq!(metadata(header, "none"), None);
        assert_eq!(metadata("filename %%%", "filename"), None);
    }

    #[test]
    fn an_upload_has_one_sender() {
        let uploads = Arc::new(Uploads::default());
        let first = uploads.receive(7).unwrap();
        assert!(uploads.receive(7).is_err());
        let _other = uploads.receive(8).unwrap();
        drop(first);
        assert!(uploads.receive(7).is_ok());
    }
}
