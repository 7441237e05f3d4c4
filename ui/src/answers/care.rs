//! The JSON of looking after the drive: wait, scrub, doctor.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
