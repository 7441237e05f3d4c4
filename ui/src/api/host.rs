//! What the API asks of the daemon around the drive.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vfs::Drive;
use zeroize::Zeroizing;

use super::group::Group;
use crate::answers::{
    BackgroundScrub, Contribution, ContributionChange, Finding, HourSpan, Keys, Setting, SettingChange,
};

/// The daemon, as the API sees it. Every call may block for a moment: it is made off the async threads.
pub trait Host: Send + Sync + 'static {
    /// The drive; none on a computer that is a host only and sees no files.
    fn drive(&self) -> Option<Arc<Drive>>;

    /// The other computers.
    fn group(&self) -> Arc<dyn Group>;

    /// What the daemon knows of itself.
    fn facts(&self) -> Facts;

    /// What holds now.
    fn contribution(&self) -> Contribution;

    /// What the chunk store holds.
    fn stored(&self) -> Stored;

    /// How many chunks of each partition are here, in order.
    ///
    /// # Errors
    /// [`Refusal`], when the index cannot be read.
    fn chunks_by_partition(&self) -> Result<Vec<u64>, Refusal>;

    /// What the disk under the data folder has; none where the system does not tell.
    fn room(&self) -> Option<Room>;

    /// Changes what this computer gives, now and for later starts.
    ///
    /// # Errors
    /// [`Refusal`], when the settings cannot be written.
    fn contribute(&self, change: &ContributionChange) -> Result<Contribution, Refusal>;

    /// The spans that hold, in the order in which they are tried.
    fn hours(&self) -> Vec<HourSpan>;

    /// Puts others in their place, now and for later starts.
    ///
    /// # Errors
    /// [`Refusal`]: a span makes no sense, there are too many, or they cannot be written. The old ones then hold on.
    fn set_hours(&self, spans: &[HourSpan]) -> Result<Vec<HourSpan>, Refusal>;

    /// What can be set for the next start, and what is.
    ///
    /// # Errors
    /// [`Refusal`], when the settings cannot be read.
    fn settings(&self) -> Result<Vec<Setting>, Refusal>;

    /// Changes one of them.
    ///
    /// # Errors
    /// [`Refusal`]: there is no such setting, the value makes no sense, or it cannot be written.
    fn change_setting(&self, change: &SettingChange) -> Result<Vec<Setting>, Refusal>;

    /// Whose keys these are and whether they are locked.
    ///
    /// # Errors
    /// [`Refusal`], when the key file cannot be read.
    fn keys(&self) -> Result<Keys, Refusal>;

    /// Sets, changes or (`new` is none) removes the passphrase.
    ///
    /// # Errors
    /// [`Refusal`]: `old` is missing or wrong, `new` is empty, the file cannot be written.
    fn set_passphrase(&self, old: Option<&str>, new: Option<&str>) -> Result<(), Refusal>;

    /// Whether a browser with a link may come in: where the panel asks for the passphrase, it must be `given`.
    ///
    /// # Errors
    /// [`Refusal::Secret`]: it is missing or wrong; others: the keys cannot be read.
    fn check_panel_passphrase(&self, given: Option<&str>) -> Result<(), Refusal>;

    /// The 24 words.
    ///
    /// # Errors
    /// [`Refusal`]: the passphrase is missing or wrong.
    fn recovery_phrase(&self, passphrase: Option<&str>) -> Result<Zeroizing<String>, Refusal>;

    /// What the daemon itself finds worth telling; the drive's findings are added to it.
    fn examine(&self) -> Vec<Finding>;

    /// Takes note that a scrub which a person started read everything.
    fn scrubbed_by_hand(&self, bytes: u64, bad_chunks: u64);

    /// Fills a buffer with bytes that nobody can guess.
    fn random(&self, bytes: &mut [u8]);

    /// Asks the daemon to flush, unmount and end. Returns at once.
    fn stop(&self);
}

/// What a disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Its length, bytes.
    pub disk_bytes: u64,
    /// What is free on it, bytes.
    pub free_bytes: u64,
}

/// What the daemon knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its version.
    pub version: String,
    /// This device's id.
    pub device: String,
    /// Name of this device.
    pub name: String,
    /// The workspace's id.
    pub workspace: String,
    /// Where the drive is mounted.
    pub mountpoint: Option<PathBuf>,
    /// Memory of the process, where the system tells.
    pub resident_bytes: Option<u64>,
    /// A file that is on this computer alone for so long is warned of; zero: none is.
    pub only_here_after: Duration,
    /// Chunks that are damaged here.
    pub damaged_chunks: u64,
    /// Damaged chunks that became whole again since the start.
    pub healed_chunks: u64,
    /// How far the reading of all chunks is.
    pub scrub: BackgroundScrub,
}

/// What the chunk store of this computer holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Chunks.
    pub chunks: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Bytes of those that are here only because they were read.
    pub cached_bytes: u64,
    /// Bytes that were not stored again since the start.
    pub saved_bytes: u64,
    /// By so many bytes what was stored since the start is shorter than what was written: it is compressed.
    pub compressed_away_bytes: u64,
}

/// The daemon does not do what was asked. The text says what, why and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Something about the request is wrong.
    #[error("{0}")]
    Refused(String),
    /// A secret is missing or wrong.
    #[error("{0}")]
    Secret(String),
    /// It was right and did not work.
    #[error("{0}")]
    Failed(String),
}
