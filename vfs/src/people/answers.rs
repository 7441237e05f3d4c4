//! What people ask the drive: status, history, whereabouts, scrub, doctor.

use crate::Time;

/// One state a file had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// Text form, to be given back to `restore`.
    pub id: String,
    /// When it was written.
    pub time: Time,
    /// Length, bytes.
    pub size: u64,
    /// Device that wrote it, text form.
    pub device: String,
    /// It is what opens now.
    pub current: bool,
    /// It was written concurrently with the current one and awaits a decision.
    pub conflict: bool,
    /// The file is deleted; this is what it held.
    pub deleted: bool,
}

/// Which state to bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreAt {
    /// The version of this id.
    Version(String),
    /// What stood there at this moment.
    At(Time),
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the content is now, path in the drive.
    pub path: Vec<u8>,
    /// The version that was brought back.
    pub version: String,
    /// Its length, bytes.
    pub size: u64,
}

/// A request of a person that could not be met; the text says what, why and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PeopleError(pub String);

/// Where a file's content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// Path in the drive.
    pub path: Vec<u8>,
    /// Current version, text form; none for what has no content.
    pub version: Option<String>,
    /// Number of chunks.
    pub chunks: u64,
    /// Length, bytes.
    pub bytes: u64,
    /// The content lies in the tree itself, without a chunk.
    pub inline: bool,
    /// Cut at fixed blocks, because it is overwritten in place.
    pub fixed: bool,
    /// Changes that are not settled into a version yet.
    pub unsettled: bool,
}

/// Whether the store takes changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Ok,
    /// The first failure made the drive read-only.
    ReadOnly {
        /// What failed.
        why: String,
    },
}

/// The drive in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Workspace id, text form.
    pub workspace: String,
    /// Its name.
    pub name: String,
    /// This device, text form.
    pub device: String,
    /// Files (links counted once).
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Bytes of all current versions.
    pub bytes: u64,
    /// Files whose changes are not settled or not committed.
    pub pending_files: u64,
    /// Files on enough hosts.
    pub safe_files: u64,
    /// Files that exist on this computer alone.
    pub only_here_files: u64,
    /// When the oldest of them was written, where there are other computers that should have it too.
    pub only_here_since: Option<Time>,
    /// Files with more than one head.
    pub conflicts: u64,
    /// What this computer gives at most, bytes.
    pub contributed_bytes: u64,
    /// What the packs take on disk, bytes.
    pub used_bytes: u64,
    /// Free space of the disk that is never touched, bytes.
    pub reserve_bytes: u64,
    /// What can still be stored, bytes.
    pub can_store_bytes: u64,
    /// Chunks held.
    pub chunks: u64,
    /// Whether changes are taken.
    pub health: Health,
    /// Why this computer takes no changes though its disk is well: its role.
    pub read_only: Option<String>,
    /// `fsync`s since the start that were not on as many computers in time as the workspace wants.
    pub fsyncs_too_late: u64,
}

/// One line of the drive's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its place in the log; none for what is no edit.
    pub id: Option<String>,
    /// When.
    pub time: Time,
    /// Who, device text form.
    pub device: String,
    /// Whose device that is, by name, as far as the roster tells.
    pub user: Option<String>,
    /// What, in words.
    pub what: String,
    /// Where, path in the drive as far as it is known.
    pub path: Option<Vec<u8>>,
}

/// How far a scrub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubProgress {
    /// Bytes read and verified.
    pub done_bytes: u64,
    /// Bytes to read in all.
    pub total_bytes: u64,
}

/// What a scrub found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScrubReport {
    /// Chunks verified.
    pub chunks: u64,
    /// Bytes verified.
    pub bytes: u64,
    /// Chunks that failed.
    pub bad_chunks: u64,
    /// Damaged chunks, found now or before, that are whole again: other computers had them.
    pub healed_chunks: u64,
    /// Files that still lose content by it, paths in the drive (at most 1000 are named).
    pub files: Vec<Vec<u8>>,
    /// It was stopped before the end.
    pub stopped: bool,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Worth a look.
    Warning,
    /// Something does not work or is lost.
    Problem,
}

/// One thing the doctor looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorFinding {
    /// How bad.
    pub severity: Severity,
    /// What was looked at and what is the case.
    pub what: String,
    /// What to do; empty when fine.
    pub remedy: String,
}
