//! The JSON of what is set: contribution, settings, keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::{Zeroize, ZeroizeOnDrop};

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
