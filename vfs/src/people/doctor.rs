//! Looking the drive over.

use super::{DoctorFinding, Health, Severity};
use crate::Drive;

impl Drive {
    /// What is well and what is not, each with what to do.
    #[must_use]
    pub fn doctor(&self) -> Vec<DoctorFinding> {
        let core = &self.core;
        let mut findings = Vec::new();
        let mut say = |severity, what: String, remedy: &str| {
            findings.push(DoctorFinding { severity, what, remedy: remedy.to_owned() });
        };
        match core.health() {
            Health::Ok => say(Severity::Fine, "the store takes changes".into(), ""),
            Health::ReadOnly { why } => say(
                Severity::Problem,
                format!("the drive is read-only since the store failed: {why}"),
                "check the disk and its cables, then `peerdrive down` and `peerdrive up`",
            ),
        }
        for damage in &core.found_at_start {
            say(
                Severity::Problem,
                damage.clone(),
                "compare the files of that time with a backup; check the disk",
            );
        }
        let usage = core.store.usage();
        if usage.can_store_bytes == 0 {
            say(
                Severity::Problem,
                "nothing more can be stored: the contribution or the disk reserve is reached".into(),
                "raise it with `peerdrive contribute`, or free the disk",
            );
        } else {
            say(Severity::Fine, format!("{} MiB can still be stored", usage.can_store_bytes >> 20), "");
        }
        if usage.damaged_chunks > 0 {
            say(
                Severity::Problem,
                format!("{} chunks are damaged", usage.damaged_chunks),
                "`peerdrive scrub` names the files; writing the same content again heals them",
            );
        }
        match self.status() {
            Ok(status) if status.files > 0 => say(
                Severity::Warning,
                format!("files on this computer alone: {}", status.files),
                "keep a copy elsewhere: one computer is never safe",
            ),
            Ok(_) => {}
            Err(error) => say(Severity::Problem, error.to_string(), "see the daemon's log"),
        }
        findings
    }
}
