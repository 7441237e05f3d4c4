//! The JSON of `/status`: this computer, its drive, and the other computers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Policy;

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
    /// The last whole passes, the newest first, 24 at most, with those that a person started. `last` is the first of them.
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
    /// A person started it; else it came by itself.
    #[serde(default)]
    pub by_hand: bool,
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
