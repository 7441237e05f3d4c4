//! The JSON of devices: who belongs to the drive, comes, leaves and is lost, and what was decided for all.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// One entry of `devices`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// Its id.
    pub device: String,
    /// Its name.
    pub name: String,
    /// It is this computer.
    pub this: bool,
    /// `online`, `late`, `away` or `lost`.
    pub state: String,
    /// Its role: `owner`, `admin`, `writer`, `reader` or `host`.
    #[serde(default)]
    pub role: String,
    /// What it gives.
    pub contributed: u64,
    /// What is stored there.
    pub used: u64,
    /// It is leaving the drive: others take over what it holds.
    #[serde(default)]
    pub leaving: bool,
    /// Where it stands, by its setting `site`; empty where nobody said.
    #[serde(default)]
    pub site: String,
}

/// `devices rename`, `revoke`, `lost` and `found`: the request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceChange {
    /// The device: its id, the beginning of it, or its name.
    pub device: String,
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
}

/// `leave`: the request. Without any of these: leave when the others have taken over what is here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaveRequest {
    /// At once, if nothing is lost by it.
    #[serde(default)]
    pub now: bool,
    /// With `now`: whatever is lost by it.
    #[serde(default)]
    pub lose: bool,
    /// Stay after all.
    #[serde(default)]
    pub cancel: bool,
}

/// `leave`: how far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Leave {
    /// `member`: it does not leave; `leaving`; `left`: it is out of the drive, and the daemon ends.
    pub state: String,
    /// Chunks here that others have still to take over, as far as they are counted.
    pub chunks: u64,
    /// Whether that is all of them.
    pub counted: bool,
    /// Other computers that keep copies.
    pub hosts: u64,
    /// Everything here is on another computer too: going now would lose nothing, though copies may be missing.
    pub nothing_lost: bool,
    /// What it waits for.
    pub waits_for: Option<String>,
    /// Where what is here is put when it has left.
    pub aside: Option<String>,
}

/// `status --if-lost`: the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IfLostRequest {
    /// The devices: ids, beginnings of them, or names.
    pub devices: Vec<String>,
}

/// `status --if-lost`: what these computers would take with them if they died now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IfLost {
    /// The devices meant, by id.
    pub devices: Vec<String>,
    /// Files of which something would be gone.
    pub gone: ConcernedFiles,
    /// Files of which something would be down to one copy.
    pub single: ConcernedFiles,
    /// Every file was looked at; otherwise the numbers are the least.
    pub complete: bool,
    /// Bytes that would have to be copied again, about.
    pub heal_bytes: u64,
    /// How long that would take, seconds at most, about; none where nobody is here to copy it, or too few are left.
    pub heal_s: Option<u64>,
    /// Computers that keep copies and would be left.
    pub hosts_left: u64,
}

/// Some files, counted, and the first of them named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConcernedFiles {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Paths of the first 100.
    pub paths: Vec<String>,
}

/// `invite`: the request.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct InviteRequest {
    /// Role of the person invited; none: a device of one's own.
    #[serde(default)]
    pub role: Option<String>,
    /// A ticket for a computer elsewhere, instead of a code for this network.
    #[serde(default)]
    pub ticket: bool,
}

/// `invite`: the answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// What is typed on the other computer, on this network.
    pub code: Option<String>,
    /// What is typed on the other computer, anywhere.
    pub ticket: Option<String>,
    /// Until when.
    pub expires: String,
}

/// `join`: the request. One of the two.
#[derive(Default, Serialize, Deserialize, ToSchema, Zeroize, ZeroizeOnDrop)]
pub struct JoinRequest {
    /// Code or ticket.
    #[serde(default)]
    pub code: Option<String>,
    /// The 24 words of a user whose devices are all gone.
    #[serde(default)]
    pub phrase: Option<String>,
    /// Where to ask, instead of looking around.
    #[serde(default)]
    pub peer: Option<String>,
}

/// `join`: the answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Joined {
    /// The workspace's id.
    pub workspace: String,
    /// Its name; none for a host.
    pub name: Option<String>,
    /// What this computer is there.
    pub role: String,
    /// The device that took it in.
    pub by: String,
}

/// `workspace policy`: what holds, for all computers of the drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Copies wanted of everything.
    pub copies: u8,
    /// So many count as safe where there are not enough computers for more.
    pub min: u8,
    /// Computers beyond so many give their copies up.
    pub max: u8,
    /// What an `fsync` waits for: `local`, or `replicas(K)`.
    pub fsync: String,
}

/// `workspace policy`: the request. What is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyChange {
    /// Copies wanted of everything; `max` moves along unless it is named too.
    #[serde(default)]
    pub copies: Option<u8>,
    /// So many count as safe where there are not enough computers for more.
    #[serde(default)]
    pub min: Option<u8>,
    /// Computers beyond so many give their copies up.
    #[serde(default)]
    pub max: Option<u8>,
    /// What an `fsync` waits for: `local`, or `replicas(K)`.
    #[serde(default)]
    pub fsync: Option<String>,
}
