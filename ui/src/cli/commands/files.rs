//! What was and where it is: history, restore, where.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Asked, path_query};
use crate::answers::{Conflict, Done, Resolve, RestoreAt, Restored, Version, Whereabouts};
use crate::cli::Failure;
use crate::cli::shown::{count, plain, short_id, size, table};
use crate::moment;

pub(super) fn history(asked: &mut Asked<'_>, path: &Path) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let route = format!("/history?{}", path_query(&daemon, "path", path)?);
    let versions: Vec<Version> = daemon.list(&route, usize::MAX)?;
    if asked.output.is_json() {
        return asked.output.json(&versions);
    }
    if versions.is_empty() {
        asked.output.hint(format!("{} has no versions: only files with content have.", path.display()));
        return Ok(());
    }
    let mut rows = vec![["TIME", "SIZE", "DEVICE", "VERSION", ""].map(String::from).to_vec()];
    rows.extend(versions.iter().map(version_row));
    table(&rows).into_iter().try_for_each(|line| asked.output.line(line))
}

fn version_row(version: &Version) -> Vec<String> {
    let notes = [(version.current, "current"), (version.conflict, "conflict"), (version.deleted, "deleted")];
    let notes: Vec<&str> = notes.iter().filter(|(holds, _)| *holds).map(|(_, note)| *note).collect();
    vec![
        moment::shown(&version.time),
        size(version.size),
        short_id(&version.device).into(),
        plain(&version.id),
        notes.join(", "),
    ]
}

pub(super) fn restore(
    asked: &mut Asked<'_>,
    path: &Path,
    at: &str,
    to: Option<&Path>,
) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let mut query = path_query(&daemon, "path", path)?;
    if let Some(to) = to {
        query = format!("{query}&{}", path_query(&daemon, "to", to)?);
    }
    let at = match moment::from_person(at, Timestamp::now(), &TimeZone::system()) {
        Some(time) => RestoreAt::Time(time.to_string()),
        None => RestoreAt::Version(at.into()),
    };
    let restored: Restored = daemon.post(&format!("/restore?{query}"), &at)?;
    if asked.output.is_json() {
        return asked.output.json(&restored);
    }
    let told = format!("{} is back: {}.", plain(&restored.path), size(restored.size));
    asked.output.line(told)
}

pub(super) fn conflicts(asked: &mut Asked<'_>) -> Result<(), Failure> {
    let conflicts: Vec<Conflict> = asked.connect()?.list("/conflicts", usize::MAX)?;
    if asked.output.is_json() {
        return asked.output.json(&conflicts);
    }
    if conflicts.is_empty() {
        return asked.output.line("There are no conflicts.");
    }
    for conflict in &conflicts {
        asked.output.line(plain(&conflict.path))?;
        let rows: Vec<_> = conflict.versions.iter().map(version_row).collect();
        table(&rows).into_iter().try_for_each(|line| asked.output.line(format!("  {line}")))?;
    }
    Ok(())
}

pub(super) fn resolve(asked: &mut Asked<'_>, path: &Path, version: String) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let query = path_query(&daemon, "path", path)?;
    let done: Done = daemon.post(&format!("/conflicts/resolve?{query}"), &Resolve { version })?;
    if asked.output.is_json() {
        asked.output.json(&done)
    } else {
        asked.output.line("This version opens from now on.")
    }
}

pub(super) fn whereabouts(asked: &mut Asked<'_>, path: &Path) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let found: Whereabouts = daemon.get(&format!("/where?{}", path_query(&daemon, "path", path)?))?;
    if asked.output.is_json() {
        return asked.output.json(&found);
    }
    let mut rows = vec![
        vec!["path".into(), plain(&found.path)],
        vec!["version".into(), found.version.as_deref().map_or_else(|| "none yet".into(), plain)],
        vec!["content".into(), content(&found)],
    ];
    for host in &found.hosts {
        rows.push(vec![
            "on".into(),
            format!("{} ({})", plain(&host.device), count(host.chunks, "chunk", "chunks")),
        ]);
    }
    if found.unsettled {
        rows.push(vec!["note".into(), "its last changes are still being stored".into()]);
    }
    table(&rows).into_iter().try_for_each(|line| asked.output.line(line))
}

fn content(found: &Whereabouts) -> String {
    let how = if found.inline {
        "kept in the tree itself".to_string()
    } else if found.fixed {
        count(found.chunks, "chunk", "chunks") + ", fixed blocks as it is overwritten in place"
    } else {
        count(found.chunks, "chunk", "chunks")
    };
    format!("{}, {how}", size(found.bytes))
}
