//! What some computers would take with them.

use super::Asked;
use crate::answers::{ConcernedFiles, IfLost, IfLostRequest};
use crate::cli::Failure;
use crate::cli::shown::{count, plain, size};

/// Paths shown of each kind; `--json` has more.
const SHOWN_MAX: usize = 20;

pub(super) fn if_lost(asked: &mut Asked<'_>, devices: Vec<String>) -> Result<(), Failure> {
    let told: IfLost = asked.connect()?.post("/status/if_lost", &IfLostRequest { devices })?;
    if asked.output.is_json() {
        return asked.output.json(&told);
    }
    let mut lines = vec![sentence(&told)];
    lines.extend(named("gone, or partly gone", &told.gone));
    lines.extend(named("down to one copy", &told.single));
    lines.push(healing(&told));
    if !told.complete {
        lines.push("Not every file could be looked at in time: it may be more.".into());
    }
    lines.into_iter().try_for_each(|line| asked.output.line(line))
}

fn sentence(told: &IfLost) -> String {
    match (told.gone.files, told.single.files) {
        (0, 0) if told.complete => {
            "Nothing would be lost, and of everything two copies would be left at least.".into()
        }
        (0, 0) => "Nothing that was looked at would be lost.".into(),
        (0, _) => "Nothing would be lost for now.".into(),
        (files, _) => format!("{} would be lost.", count(files, "file", "files")),
    }
}

fn named(what: &str, files: &ConcernedFiles) -> Vec<String> {
    if files.files == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!("{what}: {}, {}", count(files.files, "file", "files"), size(files.bytes))];
    let shown: Vec<&String> = files.paths.iter().take(SHOWN_MAX).collect();
    lines.extend(shown.iter().map(|path| format!("  {}", plain(path))));
    let more = files.files - shown.len() as u64;
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}

fn healing(told: &IfLost) -> String {
    if told.heal_bytes == 0 {
        return "Little or nothing would have to be copied again.".into();
    }
    let hosts = count(told.hosts_left, "computer", "computers");
    match told.heal_s {
        Some(seconds) => format!(
            "About {} would be copied again by the {hosts} left, which takes {} at most.",
            size(told.heal_bytes),
            span(seconds)
        ),
        None => {
            format!("About {} would lack a copy, and {hosts} left cannot make it now.", size(told.heal_bytes))
        }
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => "a minute".into(),
        60..7200 => count(seconds.div_ceil(60), "minute", "minutes"),
        7200..172_800 => count(seconds.div_ceil(3600), "hour", "hours"),
        _ => count(seconds.div_ceil(86_400), "day", "days"),
    }
}
