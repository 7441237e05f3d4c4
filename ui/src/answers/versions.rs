//! The JSON of what was and where it is: the log, versions, conflicts, holders.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One entry of `log`, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Its place in the log; none for what is no change of the drive.
    #[serde(default)]
    pub id: Option<String>,
    /// When.
    pub time: String,
    /// Which device.
    pub device: String,
    /// Whose device that is, by name, as far as the drive's roster tells.
    #[serde(default)]
    pub user: Option<String>,
    /// What happened, in words.
    pub what: String,
    /// To which path, as far as it is known.
    pub path: Option<String>,
}

/// One entry of `history`, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// What `restore --at` takes.
    pub id: String,
    /// When it was written.
    pub time: String,
    /// Its length.
    pub size: u64,
    /// Which device wrote it.
    pub device: String,
    /// It is what opens now.
    pub current: bool,
    /// It was written at the same time as the current one elsewhere.
    pub conflict: bool,
    /// The file is deleted; this is what it held.
    pub deleted: bool,
}

/// One entry of `conflicts`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    /// The file.
    pub path: String,
    /// Its versions that were written at the same time; the first is what opens.
    pub versions: Vec<Version>,
}

/// `conflicts resolve`: the request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Resolve {
    /// The version to keep as what opens; the others stay in the history.
    pub version: String,
}

/// What `restore` asks for: one of the two.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoreAt {
    /// A version of `history`.
    Version(String),
    /// What stood there at this time.
    Time(String),
}

/// `restore`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Restored {
    /// Where the content is now.
    pub path: String,
    /// The version that was brought back.
    pub version: String,
    /// Its length.
    pub size: u64,
}

/// `where`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Whereabouts {
    /// The path.
    pub path: String,
    /// The current version; none while nothing was ever stored.
    pub version: Option<String>,
    /// Chunks it consists of.
    pub chunks: u64,
    /// Its length.
    pub bytes: u64,
    /// Who holds them.
    pub hosts: Vec<Holding>,
    /// So small that it lies in the tree itself.
    pub inline: bool,
    /// Cut at fixed blocks, because it is overwritten in place.
    pub fixed: bool,
    /// Its last changes are still being stored.
    pub unsettled: bool,
}

/// One host of [`Whereabouts`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Holding {
    /// The host.
    pub device: String,
    /// Chunks of the file it holds.
    pub chunks: u64,
}
