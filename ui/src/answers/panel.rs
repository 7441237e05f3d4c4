//! The JSON of the panel's own routes: links, sessions, room on the disk, events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How much somebody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See everything, change nothing.
    Read,
    /// Change files too.
    Write,
    /// Everything: devices, settings, keys, tokens.
    Admin,
}

/// A token for other programs, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// What revoking takes.
    pub id: u64,
    /// What it is for.
    pub name: String,
    /// What it may.
    pub scope: Scope,
    /// The drive it is for: no other takes it.
    pub workspace: String,
    /// When it was made.
    pub created: String,
    /// When it was used last, since the daemon started.
    pub used: Option<String>,
}

/// `token create`: the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// What it is for; no other token has this name.
    pub name: String,
    /// What it may.
    pub scope: Scope,
}

/// `token create`: the answer. The text is told this once.
#[derive(Serialize, Deserialize, ToSchema, Zeroize, ZeroizeOnDrop)]
pub struct NewToken {
    /// What revoking takes.
    pub id: u64,
    /// What it is for.
    pub name: String,
    /// What it may.
    #[zeroize(skip)]
    pub scope: Scope,
    /// What is sent as `Authorization: Bearer TOKEN`.
    pub token: String,
}

/// `panel`: a link that opens the panel once.
#[derive(Serialize, Deserialize, ToSchema, Zeroize, ZeroizeOnDrop)]
pub struct PanelLink {
    /// The address, with its one-time token in the fragment.
    pub url: String,
    /// Seconds until it is worth nothing.
    pub valid_s: u64,
}

/// Signing in: the token of a link's fragment.
#[derive(Serialize, Deserialize, ToSchema, Zeroize, ZeroizeOnDrop)]
pub struct SignIn {
    /// The token.
    pub link: String,
    /// The passphrase of the keys, where the setting `panel_passphrase` asks for it.
    #[serde(default)]
    pub passphrase: Option<String>,
}

/// One browser that is signed in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// What signing out takes.
    pub id: u64,
    /// What the browser calls itself.
    pub browser: String,
    /// When it signed in.
    pub opened: String,
    /// When it last asked for something.
    pub used: String,
    /// It is the one that asks.
    pub current: bool,
    /// What it may.
    pub scope: Scope,
}

/// Room on this computer's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Storage {
    /// Bytes given at most.
    pub contributed: u64,
    /// Bytes of the disk that stay free.
    pub reserve: u64,
    /// Bytes the drive takes now.
    pub used: u64,
    /// Bytes that can still be stored.
    pub can_store: u64,
    /// Length of the disk that the data folder is on; none where the system does not tell.
    pub disk_bytes: Option<u64>,
    /// What is free on it.
    pub disk_free_bytes: Option<u64>,
    /// Copies wanted of everything.
    pub target: u8,
    /// Chunks stored here.
    #[serde(default)]
    pub chunks: u64,
    /// Bytes of these chunks; what is used beyond that is dead, until its packs are rewritten.
    #[serde(default)]
    pub live_bytes: u64,
    /// Of these, bytes that are here only because they were read.
    #[serde(default)]
    pub cached_bytes: u64,
    /// Bytes of files that were not stored again since the start, because they were here already.
    #[serde(default)]
    pub saved_bytes: u64,
    /// By so many bytes the chunks stored since the start are shorter than what was written: they are compressed.
    #[serde(default)]
    pub compressed_away_bytes: u64,
}

/// Which computer holds which part of all chunks. These are spread by the first bits of their ids over partitions, and partitions over
/// computers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Distribution {
    /// How many partitions there are.
    pub partitions: u16,
    /// Partitions in each group of the lists below.
    pub group_partitions: u16,
    /// Copies wanted of everything.
    pub copies: u8,
    /// Chunks on this computer, by groups, as of its last checkpoint a moment ago.
    pub chunks_here: Vec<u64>,
    /// Every computer of the drive, this one first.
    pub devices: Vec<DeviceShare>,
}

/// One computer of [`Distribution`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceShare {
    /// Its id.
    pub device: String,
    /// Its name.
    pub name: String,
    /// It is this computer.
    pub this: bool,
    /// Bytes it gives at most.
    pub contributed: u64,
    /// Bytes stored there.
    pub used: u64,
    /// Partitions that it owns: new copies of their chunks go there.
    pub owned: u16,
    /// Of each group, how many; empty where it owns none.
    pub owned_by_group: Vec<u8>,
}

/// What one device owns, as the group says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Its id.
    pub device: String,
    /// Partitions.
    pub partitions: u16,
    /// Of each group of 64, how many.
    pub groups: Vec<u8>,
}

/// Who wrote what is in the drive now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Written {
    /// By device, who wrote most first.
    pub devices: Vec<WrittenBy>,
    /// Every file was counted in time; otherwise the numbers are the least.
    pub complete: bool,
}

/// One device of [`Written`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WrittenBy {
    /// The user's id; none where the roster does not know the device.
    pub user: Option<String>,
    /// The user's name, where it is known.
    pub user_name: Option<String>,
    /// The device's name, or what is known in its place.
    pub device: String,
    /// Files whose present version it wrote.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A text as a QR code.
#[derive(Serialize, Deserialize, ToSchema, Zeroize, ZeroizeOnDrop)]
pub struct QrRequest {
    /// The text, at most 1000 bytes.
    pub text: String,
}

/// A QR code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QrCode {
    /// One line for each row, `1` for a dark square; without the quiet zone of four squares.
    pub rows: Vec<String>,
}

/// What the stream of events says, as often as it changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TreeChanged {
    /// Grows with every change of the tree.
    pub clock: u64,
}
