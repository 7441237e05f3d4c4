//! What is the case: status, devices, log.

use axum::extract::{RawQuery, State};
use vfs::Health;

use crate::answers::{Device, LogLine, Status, Workspace};
use crate::api::host::Facts;
use crate::api::problem::ApiError;
use crate::api::query;
use crate::api::work::{Answer, Api};
use crate::moment;

/// Lines of the log when nobody says how many.
const LOG_LINES: u64 = 50;
/// Lines of the log at most.
const MAX_LOG_LINES: u64 = 10_000;

pub(in crate::api) async fn status(State(api): State<Api>) -> Answer<Status> {
    api.run(|api| Ok(told(&api.host.drive().status()?, &api.host.facts()))).await
}

fn told(drive: &vfs::Status, facts: &Facts) -> Status {
    let (health, health_detail) = match &drive.health {
        Health::Ok => ("ok", None),
        Health::ReadOnly { why } => ("read_only", Some(why.clone())),
    };
    Status {
        device: drive.device.clone(),
        name: facts.name.clone(),
        version: facts.version.clone(),
        workspaces: vec![workspace(drive, facts)],
        peers: Vec::new(),
        contributed: drive.contributed_bytes,
        used: drive.used_bytes,
        reserve: drive.reserve_bytes,
        can_store: drive.can_store_bytes,
        rss_bytes: facts.resident_bytes,
        health: health.into(),
        health_detail,
    }
}

fn workspace(drive: &vfs::Status, facts: &Facts) -> Workspace {
    Workspace {
        id: drive.workspace.clone(),
        name: drive.name.clone(),
        mountpoint: facts.mountpoint.as_ref().map(|path| path.display().to_string()),
        files: drive.files,
        directories: drive.directories,
        bytes: drive.bytes,
        safe_files: drive.safe_files,
        pending_files: drive.pending_files,
        only_here_files: drive.only_here_files,
        conflicts: drive.conflicts,
    }
}

pub(in crate::api) async fn devices(State(api): State<Api>) -> Answer<Vec<Device>> {
    api.run(|api| {
        let drive = api.host.drive().status()?;
        Ok(vec![Device {
            device: drive.device,
            name: api.host.facts().name,
            this: true,
            state: "online".into(),
            contributed: drive.contributed_bytes,
            used: drive.used_bytes,
        }])
    })
    .await
}

pub(in crate::api) async fn log(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Vec<LogLine>> {
    let limit = query::number(asked.as_deref(), "limit")?.unwrap_or(LOG_LINES);
    if limit > MAX_LOG_LINES {
        return Err(ApiError::bad(format!("the log is told in at most {MAX_LOG_LINES} lines")));
    }
    api.run(move |api| {
        let lines = api.host.drive().log(usize::try_from(limit).unwrap_or(usize::MAX))?;
        Ok(lines.into_iter().map(line).collect())
    })
    .await
}

fn line(line: vfs::LogLine) -> LogLine {
    LogLine {
        time: moment::to_text(line.time),
        device: line.device,
        what: line.what,
        path: line.path.map(|path| String::from_utf8_lossy(&path).into_owned()),
    }
}
