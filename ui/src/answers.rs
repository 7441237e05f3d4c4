//! The JSON of the API and of `--json`. Names are added, never changed: scripts rely on them.
//!
//! Sizes are bytes, times RFC 3339 in UTC. A path that is no UTF-8 is shown with replacement characters.

mod files;
mod hours;
mod page;
mod panel;

pub use files::{Copies, CopiesRequest, Count, Deleted, Entry, FileCopies, Folder, Found, FoundEntry, Undelete};
pub use hours::{HourSpan, HoursChange, Weekday};
pub use page::Page;
pub use panel::{
    DeviceShare, Distribution, NewToken, Owned, PanelLink, QrCode, QrRequest, Scope, Session, SignIn,
    Storage, Token, TokenRequest, TreeChanged, Written, WrittenBy,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `status`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// This device's id.
    pub device: String,
    /// This device's name.
    pub name: String,
    /// Version of the daemon.
    pub version: String,
    /// The drives of this daemon.
    pub workspaces: Vec<Workspace>,
    /// Other devices; none while a drive lives on one computer.
    pub peers: Vec<Peer>,
    /// What this computer passes on between others.
    #[serde(default)]
    pub relaying: Relaying,
    /// What this computer gives at most.
    pub contributed: u64,
    /// What the drive takes on its disk.
    pub used: u64,
    /// What always stays free on its disk.
    pub reserve: u64,
    /// What can still be stored.
    pub can_store: u64,
    /// Memory of the daemon; none where the system does not tell.
    pub rss_bytes: Option<u64>,
    /// `ok`, or `read_only` after a disk failure.
    pub health: String,
    /// What failed.
    pub health_detail: Option<String>,
    /// Chunks on this computer that are damaged and not replaced yet.
    #[serde(default)]
    pub damaged_chunks: u64,
    /// Damaged chunks that are whole again, since the start.
    #[serde(default)]
    pub healed_chunks: u64,
    /// Chunks that should be on this computer and are being fetched from others.
    #[serde(default)]
    pub mending_chunks: u64,
    /// How far the reading of all chunks of this computer is, which goes on by itself.
    #[serde(default)]
    pub scrub: BackgroundScrub,
    /// This computer is leaving the drive.
    #[serde(default)]
    pub leaving: bool,
    /// What a host without keys gives up; none on others, which look for themselves.
    #[serde(default)]
    pub garbage: Option<Garbage>,
}

/// Garbage on a host without keys, in [`Status`]: chunks that nothing in the drive names any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Garbage {
    /// Chunks given up since the start, each on a member's signed word.
    pub collected_chunks: u64,
    /// Chunks that nothing named when a member looked, and that wait for a second look, counted since the start.
    pub waiting_chunks: u64,
    /// Names of members that must be heard before more is given up.
    pub unheard: Vec<String>,
    /// The file in which the signed words are kept.
    pub proofs: String,
}

/// Reading all chunks of this computer once in a while, in [`Status`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackgroundScrub {
    /// A whole pass takes so long, seconds; 0: it is switched off.
    pub every_s: u64,
    /// When the pass that is under way began; none between two.
    pub began: Option<String>,
    /// Bytes that it read.
    pub checked_bytes: u64,
    /// Bytes of all that is to be read.
    pub total_bytes: u64,
    /// Damaged chunks that it found.
    pub bad_chunks: u64,
    /// It is its turn, and the disk has other work.
    pub waits: bool,
    /// When the last whole pass ended.
    pub last: Option<String>,
    /// Bytes that it read.
    pub last_bytes: u64,
    /// Damaged chunks that it found.
    pub last_bad_chunks: u64,
    /// The last whole passes, the newest first, 24 at most.
    #[serde(default)]
    pub passes: Vec<ScrubPass>,
}

/// A whole pass of [`BackgroundScrub`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScrubPass {
    /// When it ended.
    pub ended: String,
    /// Bytes that it read.
    pub bytes: u64,
    /// Damaged chunks that it found.
    pub bad_chunks: u64,
}

/// How another computer's own reading of all its chunks went, as it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerScrub {
    /// A whole pass takes so long, seconds; 0: it is switched off there.
    pub every_s: u64,
    /// When the last whole pass ended; none where none has.
    pub last: Option<String>,
    /// Bytes that it read.
    pub last_bytes: u64,
    /// Damaged chunks that it found.
    pub last_bad_chunks: u64,
    /// Chunks that are damaged there now.
    pub damaged_chunks: u64,
    /// Damaged chunks that were replaced by good copies there since its daemon started.
    pub healed_chunks: u64,
}

/// What this computer passes on between others that do not reach each other, in [`Status`].
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Relaying {
    /// At most so much each second; 0: nothing.
    pub bytes_per_s: u64,
    /// Passed on since the start.
    pub relayed_bytes: u64,
    /// Not passed on since then: over the limit, or the receiver was slow.
    pub dropped_bytes: u64,
}

/// One drive in [`Status`].
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Workspace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is mounted; none with `--no-mount`.
    pub mountpoint: Option<String>,
    /// This computer is a host only: it keeps sealed data and sees no files.
    #[serde(default)]
    pub blind: bool,
    /// Files, links counted once.
    pub files: u64,
    /// Folders.
    pub directories: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Files on enough computers.
    pub safe_files: u64,
    /// Files whose last changes are still being stored.
    pub pending_files: u64,
    /// Files on this computer alone.
    pub only_here_files: u64,
    /// When the oldest of them was written, where there are other computers that should have it too.
    #[serde(default)]
    pub only_here_since: Option<String>,
    /// That is longer ago than the setting `only_here` allows.
    #[serde(default)]
    pub only_here_too_long: bool,
    /// Files with versions that await a decision.
    pub conflicts: u64,
    /// What was decided about copies.
    #[serde(default)]
    pub policy: Option<Policy>,
    /// Why this computer takes no changes though its disk is well: its role.
    #[serde(default)]
    pub read_only: Option<String>,
    /// `fsync`s since the start that were not on as many computers in time as the policy wants.
    #[serde(default)]
    pub fsyncs_too_late: u64,
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

/// Another device in [`Status`].
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Peer {
    /// Its id.
    pub device: String,
    /// Its name.
    pub name: String,
    /// `online`, `late`, `away` or `lost`.
    pub state: String,
    /// How it is reached: `direct LAN`, `direct WAN` or `relayed`; none while it is not.
    pub path: Option<String>,
    /// Why it is reached that way, or why not.
    #[serde(default)]
    pub why: Option<String>,
    /// Its role: `owner`, `admin`, `writer`, `reader` or `host`.
    #[serde(default)]
    pub role: String,
    /// Changes of this computer that it does not have yet.
    #[serde(default)]
    pub behind: u64,
    /// Chunks of this computer that are meant for it and not there yet.
    #[serde(default)]
    pub outstanding_chunks: u64,
    /// Round trip, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Bytes sent to it over the present link; 0 without one.
    #[serde(default)]
    pub sent_bytes: u64,
    /// Bytes that came from it over the present link; 0 without one.
    #[serde(default)]
    pub received_bytes: u64,
    /// What the line to it takes, bytes a second, as far as congestion control has found out; none while it is not reached.
    #[serde(default)]
    pub line_bytes_per_s: Option<u64>,
    /// What it gives.
    pub contributed: u64,
    /// What is stored there.
    pub used: u64,
    /// It has no room left: new copies go to others.
    #[serde(default)]
    pub full: bool,
    /// How it answered when it was asked to prove that it holds what it should.
    #[serde(default)]
    pub audit: Audit,
    /// How its own reading of all its chunks went, as it last said; none where it did not say so since the start of this daemon.
    #[serde(default)]
    pub scrub: Option<PeerScrub>,
}

/// How a host answered when it was asked, at random, to prove that it holds a chunk. Since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    /// How often it was asked.
    pub asked: u64,
    /// It proved it.
    pub right: u64,
    /// It claimed to have the chunk, and could not prove it.
    pub wrong: u64,
    /// It said that it has not got the chunk.
    pub missing: u64,
    /// It did not answer in time.
    pub silent: u64,
}

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

/// What `wait` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// On enough computers.
    Safe,
    /// All devices know all changes.
    Synced,
}

/// `wait`: the request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Wait {
    /// What to wait for.
    pub until: WaitFor,
    /// Only this path of the drive.
    #[serde(default)]
    pub path: Option<String>,
}

/// `wait`: the answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Waited {
    /// It is so.
    pub done: bool,
    /// Why not, and that waiting longer does not help.
    pub why: Option<String>,
    /// What is still missing, in words; ask again.
    #[serde(default)]
    pub missing: Option<String>,
}

/// `scrub`: the request.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ScrubRequest {
    /// Bytes per second at most; none: as fast as the disk.
    #[serde(default)]
    pub rate: Option<u64>,
}

/// `scrub`: how far it is, or what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scrub {
    /// `idle` (never run since the start), `running`, `done`, `stopped` or `failed`.
    pub state: String,
    /// Chunks read and verified.
    pub chunks: u64,
    /// Bytes read and verified.
    pub bytes: u64,
    /// Bytes to read.
    pub total_bytes: u64,
    /// Chunks that did not verify.
    pub bad_chunks: u64,
    /// Damaged chunks, found now or before, that other computers had: they are whole again.
    #[serde(default)]
    pub healed_chunks: u64,
    /// Files that still lose content by it.
    pub files: Vec<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// One finding of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// `fine`, `warning` or `problem`.
    pub severity: String,
    /// What was looked at and what is the case.
    pub what: String,
    /// What to do; empty when fine.
    pub remedy: String,
}

impl Finding {
    /// All is well.
    pub fn fine(what: impl Into<String>) -> Self {
        Self { severity: "fine".into(), what: what.into(), remedy: String::new() }
    }

    /// Worth a look.
    pub fn warning(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: "warning".into(), what: what.into(), remedy: remedy.into() }
    }

    /// Something does not work or is lost.
    pub fn problem(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: "problem".into(), what: what.into(), remedy: remedy.into() }
    }

    /// Whether it is a problem.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.severity == "problem"
    }
}

/// `contribute`: what to change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContributionChange {
    /// Bytes given at most.
    #[serde(default)]
    pub contribute: Option<u64>,
    /// Bytes of the disk that stay free.
    #[serde(default)]
    pub reserve: Option<u64>,
    /// Bytes per second sent to others at most; 0: no limit.
    #[serde(default)]
    pub up: Option<u64>,
    /// Bytes per second received from others at most; 0: no limit.
    #[serde(default)]
    pub down: Option<u64>,
}

/// `contribute`: what holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contribution {
    /// Bytes given at most.
    pub contributed: u64,
    /// Bytes of the disk that stay free.
    pub reserve: u64,
    /// Bytes per second sent to others at most; 0: no limit.
    pub up: u64,
    /// Bytes per second received from others at most; 0: no limit.
    pub down: u64,
    /// Bytes stored now.
    pub used: u64,
    /// What of `up` holds at this hour.
    #[serde(default)]
    pub up_now: u64,
    /// What of `down` holds at this hour.
    #[serde(default)]
    pub down_now: u64,
    /// The span of `[[hours]]` that holds now, in words.
    #[serde(default)]
    pub hours_now: Option<String>,
}

/// One setting of this computer that holds from the next start on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Setting {
    /// Its name in `config.toml`.
    pub key: String,
    /// What it holds: `text`, `truth`, `size`, `rate`, `time`, `level` or `metered`.
    pub kind: String,
    /// What holds while nobody says otherwise.
    pub default: String,
    /// What the file says; none: the default holds.
    pub value: Option<String>,
}

/// What to change of [`Setting`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingChange {
    /// Its name.
    pub key: String,
    /// As it is written in the file, without quotes.
    pub value: String,
}

/// `keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Keys {
    /// The user's id.
    pub user: String,
    /// A passphrase opens the keys at each start.
    pub locked: bool,
}

/// `keys passphrase`: the request. Neither old nor new may be empty.
#[derive(Default, Serialize, Deserialize, ToSchema, Zeroize, ZeroizeOnDrop)]
pub struct PassphraseChange {
    /// The present one, if there is one.
    #[serde(default)]
    pub old: Option<String>,
    /// The new one; none: without.
    #[serde(default)]
    pub new: Option<String>,
}

/// `keys recovery`: the request.
#[derive(Default, Serialize, Deserialize, ToSchema, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryRequest {
    /// The passphrase, if there is one.
    #[serde(default)]
    pub passphrase: Option<String>,
}

/// `keys recovery`: the answer.
#[derive(Serialize, Deserialize, ToSchema, Zeroize, ZeroizeOnDrop)]
pub struct Recovery {
    /// The 24 words.
    pub phrase: String,
}

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
