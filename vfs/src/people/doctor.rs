//! Looking the drive over.

use super::look_over::{DoctorProgress, LookOver};
use super::{DoctorFinding, Health, Severity};
use crate::Drive;

/// Names in one finding at most.
const NAMES_MAX: usize = 20;

#[derive(Default)]
struct Findings(Vec<DoctorFinding>);

impl Findings {
    fn say(&mut self, severity: Severity, what: impl Into<String>, remedy: &str) {
        self.0.push(DoctorFinding { severity, what: what.into(), remedy: remedy.to_owned() });
    }
}

impl Drive {
    /// What is well and what is not, each with what to do: the store's health, its room, then every page and row of the tree and
    /// whether the chunks of every version are here. Memory is bounded; it takes as long as the tree is large. `progress` answers
    /// whether to go on.
    pub fn doctor(&self, progress: &mut dyn FnMut(&DoctorProgress) -> bool) -> Vec<DoctorFinding> {
        let seen = self.core.look_over(progress);
        let mut findings = Findings::default();
        self.tell_of_store(&mut findings);
        self.tell_of_tree(&seen, &mut findings);
        self.tell_of_chunks(&seen, &mut findings);
        if let Some(why) = &seen.ended_by {
            findings.say(
                Severity::Problem,
                format!("the drive could not be looked over to the end ({why})"),
                "see the daemon's log; mend what is told above, then ask again",
            );
        } else if seen.stopped {
            findings.say(
                Severity::Warning,
                format!(
                    "looked over in part only: {} rows, {} versions",
                    seen.progress.rows, seen.progress.versions
                ),
                "`peerdrive scrub` takes its time and reads every chunk",
            );
        }
        findings.0
    }

    fn tell_of_store(&self, findings: &mut Findings) {
        let core = &self.core;
        match core.health() {
            Health::Ok => findings.say(Severity::Fine, "the store takes changes", ""),
            Health::ReadOnly { why } => findings.say(
                Severity::Problem,
                format!("the drive is read-only since the store failed: {why}"),
                "check the disk and its cables, then `peerdrive down` and `peerdrive up`",
            ),
        }
        for damage in &core.found_at_start {
            findings.say(
                Severity::Problem,
                damage.as_str(),
                "compare the files of that time with a backup; check the disk",
            );
        }
        let usage = core.store.usage();
        if usage.can_store_bytes == 0 {
            findings.say(
                Severity::Problem,
                "nothing more can be stored: the contribution or the disk reserve is reached",
                "raise it with `peerdrive contribute`, or free the disk",
            );
        } else {
            findings.say(
                Severity::Fine,
                format!("{} MiB can still be stored", usage.can_store_bytes >> 20),
                "",
            );
        }
        if usage.damaged_chunks > 0 {
            findings.say(
                Severity::Problem,
                format!("{} chunks are damaged", usage.damaged_chunks),
                "`peerdrive scrub` fetches good copies from other computers and names the files it cannot heal; writing the same \
                 content again heals them too",
            );
        }
        if usage.healed_chunks > 0 {
            findings.say(
                Severity::Warning,
                format!(
                    "{} damaged chunks were replaced by good copies since the start",
                    usage.healed_chunks
                ),
                "check the disk and its cables: it has lost data",
            );
        }
        match self.status() {
            Ok(status) if status.files > 0 => findings.say(
                Severity::Warning,
                format!("files on this computer alone: {}", status.files),
                "keep a copy elsewhere: one computer is never safe",
            ),
            Ok(_) => {}
            Err(error) => findings.say(Severity::Problem, error.to_string(), "see the daemon's log"),
        }
    }

    fn tell_of_tree(&self, seen: &LookOver, findings: &mut Findings) {
        let put_back = "no other copy of the tree is on this computer: put a copy of the workspace's tree.redb back, or copy what \
                        still can be read to another drive";
        match &seen.pages {
            Some(Ok(())) if seen.damaged_rows == 0 && seen.ended_by.is_none() => {
                findings.say(Severity::Fine, format!("the tree is whole: {} rows", seen.progress.rows), "");
            }
            Some(Ok(())) => {}
            Some(Err(error)) => findings.say(Severity::Problem, error.to_string(), put_back),
            None => findings.say(
                Severity::Warning,
                "the tree's pages were not compared: somebody was reading all the time, or the drive is read-only",
                "ask again when the drive is less busy and takes changes",
            ),
        }
        if seen.damaged_rows > 0 {
            let mut names: Vec<String> =
                seen.rows.iter().take(NAMES_MAX).map(|row| self.core.row_in_words(row)).collect();
            names.dedup();
            let what = format!("{} rows of the tree are damaged: {}", seen.damaged_rows, names.join(", "));
            findings.say(Severity::Problem, what, put_back);
        }
    }

    /// With other computers a chunk may well be on them alone: that is no reason to doubt the index.
    fn tell_of_chunks_elsewhere(&self, seen: &LookOver, findings: &mut Findings) {
        let damaged = self.core.store.usage().damaged_chunks;
        if damaged > 0 {
            let what = format!("{damaged} chunks are damaged on this computer");
            findings.say(
                Severity::Warning,
                what,
                "reading their files fetches good copies from other computers",
            );
        }
        let what = format!(
            "{} chunks and {} lists of chunks are not on this computer; reading their files fetches them",
            seen.missing_chunks, seen.unlisted_versions
        );
        findings.say(Severity::Fine, what, "");
    }

    fn tell_of_chunks(&self, seen: &LookOver, findings: &mut Findings) {
        if seen.missing_chunks + seen.unlisted_versions == 0 {
            if seen.ended_by.is_none() && !seen.stopped {
                let what = format!("the chunks of all {} versions are here", seen.progress.versions);
                findings.say(Severity::Fine, what, "");
            }
            return;
        }
        if self.core.fetcher.has_group() {
            return self.tell_of_chunks_elsewhere(seen, findings);
        }
        let files = match self.core.files_with(&seen.chunks) {
            Ok(paths) if paths.is_empty() => "older versions only".to_owned(),
            Ok(paths) => {
                let named: Vec<_> =
                    paths.iter().take(NAMES_MAX).map(|path| String::from_utf8_lossy(path)).collect();
                let more = paths.len().saturating_sub(NAMES_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("{}{more}", named.join(", "))
            }
            Err(error) => format!("which files cannot be told ({error})"),
        };
        let what = format!(
            "{} chunks that versions name are missing or damaged, {} lists of chunks cannot be read: {files}",
            seen.missing_chunks, seen.unlisted_versions
        );
        // What is in a pack after all, a walk over the packs finds.
        let remedy = match self.core.store.distrust_index() {
            Ok(()) => {
                "`peerdrive down` and `peerdrive up`: the index is built from the packs and finds what is there; what stays \
                 missing is lost here: restore an older version, or store the same content again"
            }
            Err(_) => {
                "`peerdrive down`, remove chunks/index.redb, `peerdrive up`: it is built from the packs and finds what is there; \
                 what stays missing is lost here"
            }
        };
        findings.say(Severity::Problem, what, remedy);
    }
}
