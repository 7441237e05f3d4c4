//! What those in charge decided about copies, for all computers of the workspace: two that differed would place differently and
//! never come to rest.
//!
//! Of several decisions that count, the last in the roster's own order holds: the deepest, then the one with the greater hash.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Fewest copies that can be decided on: one computer alone is never safe.
pub const COPIES_MIN: u8 = 2;
/// Most copies that can be decided on.
pub const COPIES_MAX: u8 = 8;

/// How many hosts keep each chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// So many count as safe where there are not `target` hosts with room.
    pub min: u8,
    /// So many are wanted.
    pub target: u8,
    /// Who comes behind the first so many in the order of placement gives its copy up.
    pub max: u8,
}

/// What an `fsync` waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FsyncLevel {
    /// The disk of the computer it is called on.
    #[default]
    Local,
    /// So many computers, that one among them.
    Replicas(u8),
}

/// A decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Copies of each chunk.
    pub copies: Copies,
    /// What an `fsync` waits for.
    pub fsync: FsyncLevel,
}

/// Why a decision makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Copies out of order or out of bounds.
    #[error(
        "copies are at least {COPIES_MIN} and at most {COPIES_MAX}, and min is not above what is wanted, nor that above max: \
         choose other numbers"
    )]
    Copies,
    /// More replicas than there will be, or fewer than are safe.
    #[error(
        "an fsync waits for at least min and at most as many computers as there are copies: choose another number of replicas"
    )]
    Replicas,
    /// Not a level.
    #[error("an fsync waits for local, or for replicas(K) with K from {COPIES_MIN} to {COPIES_MAX}")]
    Level,
}

impl Copies {
    /// So many wanted; two are safe where there are no more, and nobody beyond keeps any.
    pub const fn wanting(target: u8) -> Self {
        Self { min: COPIES_MIN, target, max: target }
    }
}

impl Default for Copies {
    fn default() -> Self {
        Self::wanting(3)
    }
}

impl Default for Policy {
    /// What holds as long as nobody decided.
    fn default() -> Self {
        Self { copies: Copies::default(), fsync: FsyncLevel::Local }
    }
}

impl Policy {
    /// Whether the numbers fit together.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn check(&self) -> Result<(), PolicyError> {
        let Copies { min, target, max } = self.copies;
        if !(COPIES_MIN <= min && min <= target && target <= max && max <= COPIES_MAX) {
            return Err(PolicyError::Copies);
        }
        match self.fsync {
            FsyncLevel::Replicas(wanted) if !(min..=target).contains(&wanted) => Err(PolicyError::Replicas),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for FsyncLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Replicas(wanted) => write!(f, "replicas({wanted})"),
        }
    }
}

impl FromStr for FsyncLevel {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        if text == "local" {
            return Ok(Self::Local);
        }
        let wanted = text.strip_prefix("replicas(").and_then(|rest| rest.strip_suffix(')'));
        let wanted = wanted.and_then(|number| number.parse().ok());
        wanted
            .filter(|wanted| (COPIES_MIN..=COPIES_MAX).contains(wanted))
            .map(Self::Replicas)
            .ok_or(PolicyError::Level)
    }
}
