//! What people ask the drive, beside files: where a thing is, what it was, how all is.

mod answers;
mod doctor;
mod history;
mod log;
mod look_over;
mod restore;
mod scrub;
mod status;
pub(crate) mod version_text;
mod whereabouts;

pub use answers::{
    DoctorFinding, Health, LogLine, PeopleError, RestoreAt, Restored, ScrubProgress, ScrubReport, Severity,
    Status, VersionInfo, Whereabouts,
};

pub use look_over::DoctorProgress;
pub use version_text::is_version_id;
pub use whereabouts::CopyFacts;

use crate::Error;

/// A path as a person reads it.
pub(crate) fn shown(path: &[u8]) -> String {
    format!("«{}»", String::from_utf8_lossy(path))
}

/// An error of the drive in a person's words.
pub(crate) fn told(what: &str, error: Error) -> PeopleError {
    let remedy = match error {
        Error::ReadOnly => {
            "; if your role does not write (`peerdrive status` says so), ask an owner, else mend the disk, then stop and start the drive (see `peerdrive doctor`)"
        }
        Error::NoSpace => "; raise the contribution (`peerdrive contribute`) or free the disk",
        Error::Io | Error::Missing(_) => "; `peerdrive scrub` and `peerdrive doctor` tell more",
        _ => "",
    };
    PeopleError(format!("{what}: {error}{remedy}"))
}
