//! The JSON of the API and of `--json`. Names are added, never changed: scripts rely on them.
//!
//! Sizes are bytes, times RFC 3339 in UTC. A path that is no UTF-8 is shown with replacement characters.

mod care;
mod devices;
mod files;
mod hours;
mod page;
mod panel;
mod settings;
mod status;
mod versions;

pub use care::{Finding, Scrub, ScrubRequest, Wait, WaitFor, Waited};
pub use devices::{
    ConcernedFiles, Device, DeviceChange, IfLost, IfLostRequest, Invitation, InviteRequest, JoinRequest,
    Joined, Leave, LeaveRequest, Policy, PolicyChange,
};
pub use files::{
    Copies, CopiesRequest, Count, Deleted, Entry, FileCopies, Folder, Found, FoundEntry, Undelete,
};
pub use hours::{HourSpan, HoursChange, Weekday};
pub use page::Page;
pub use panel::{
    DeviceShare, Distribution, NewToken, Owned, PanelLink, QrCode, QrRequest, Scope, Session, SignIn,
    Storage, Token, TokenRequest, TreeChanged, Written, WrittenBy,
};
pub use settings::{
    Contribution, ContributionChange, Keys, PassphraseChange, Recovery, RecoveryRequest, Setting,
    SettingChange,
};
pub use status::{Audit, BackgroundScrub, Garbage, Peer, PeerScrub, Relaying, ScrubPass, Status, Workspace};
pub use versions::{Conflict, Holding, LogLine, Resolve, RestoreAt, Restored, Version, Whereabouts};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer of requests that have none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {}

/// What went wrong, as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What, why, and what to do.
    pub detail: String,
}
