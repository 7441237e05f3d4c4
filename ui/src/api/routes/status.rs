//! What is the case: status, devices, log.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{RawQuery, State};
use vfs::Health;

use super::parsed;
use super::versions::version_place;
use crate::answers::{
    Device, DeviceChange, Done, IfLost, IfLostRequest, Invitation, InviteRequest, JoinRequest, Joined,
    LogLine, Page, Policy, Problem, Status, Workspace,
};
use crate::api::host::Facts;
use crate::api::paging::{PAGE, Part, PartQuery, Sizes};
use crate::api::problem::ApiError;
use crate::api::work::{Answer, Api};
use crate::moment;

/// Devices in one question for what would be lost with them, at most.
const MAX_LOST_DEVICES: usize = 64;
/// Lines of the log in one part.
const LOG_LINES: Sizes = Sizes { usual: 50, most: 10_000 };

#[utoipa::path(get,
    path = "/status",
    tag = "drive",
    responses((status = 200, description = "Done", body = Status), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn status(State(api): State<Api>) -> Answer<Status> {
    api.run(status_of).await
}

pub(super) fn status_of(api: &Api) -> Result<Status, ApiError> {
    let drive = api.host.drive().map(|drive| drive.status()).transpose()?;
    Ok(told(api, drive.as_ref()))
}

fn told(api: &Api, drive: Option<&vfs::Status>) -> Status {
    let (facts, given) = (api.host.facts(), api.host.contribution());
    let (health, health_detail) = match drive.map(|drive| &drive.health) {
        None | Some(Health::Ok) => ("ok", None),
        Some(Health::ReadOnly { why }) => ("read_only", Some(why.clone())),
    };
    Status {
        device: facts.device.clone(),
        name: facts.name.clone(),
        version: facts.version.clone(),
        workspaces: vec![workspace(drive, &facts, api.host.group().policy())],
        peers: api.host.group().peers(),
        relaying: api.host.group().relaying(),
        contributed: given.contributed,
        used: given.used,
        reserve: given.reserve,
        can_store: drive
            .map_or_else(|| given.contributed.saturating_sub(given.used), |drive| drive.can_store_bytes),
        rss_bytes: facts.resident_bytes,
        health: health.into(),
        health_detail,
        damaged_chunks: facts.damaged_chunks,
        healed_chunks: facts.healed_chunks,
        mending_chunks: api.host.group().mending_chunks(),
        scrub: facts.scrub,
        leaving: api.host.group().leaving().state == "leaving",
        garbage: api.host.group().garbage(),
    }
}

fn workspace(drive: Option<&vfs::Status>, facts: &Facts, policy: Policy) -> Workspace {
    let policy = Some(policy);
    let mountpoint = facts.mountpoint.as_ref().map(|path| path.display().to_string());
    let Some(drive) = drive else {
        return Workspace { id: facts.workspace.clone(), blind: true, policy, ..Workspace::default() };
    };
    Workspace {
        id: drive.workspace.clone(),
        name: drive.name.clone(),
        mountpoint,
        blind: false,
        files: drive.files,
        directories: drive.directories,
        bytes: drive.bytes,
        safe_files: drive.safe_files,
        pending_files: drive.pending_files,
        only_here_files: drive.only_here_files,
        only_here_since: drive.only_here_since.map(moment::to_text),
        only_here_too_long: moment::is_over(drive.only_here_since, facts.only_here_after),
        conflicts: drive.conflicts,
        policy,
        read_only: drive.read_only.clone(),
        fsyncs_too_late: drive.fsyncs_too_late,
    }
}

#[utoipa::path(post,
    path = "/status/if_lost",
    tag = "devices",
    request_body = IfLostRequest,
    responses((status = 200, description = "Done", body = IfLost), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn if_lost(
    State(api): State<Api>,
    body: Result<Json<IfLostRequest>, JsonRejection>,
) -> Answer<IfLost> {
    let asked = parsed(body)?;
    if asked.devices.is_empty() || asked.devices.len() > MAX_LOST_DEVICES {
        return Err(ApiError::bad(format!("name 1 to {MAX_LOST_DEVICES} devices")));
    }
    api.run(move |api| Ok(api.host.group().if_lost(&asked.devices)?)).await
}

#[utoipa::path(get,
    path = "/devices",
    tag = "devices",
    params(PartQuery),
    responses((status = 200, description = "Done", body = Page<Device>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn devices(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
) -> Answer<Page<Device>> {
    let part = Part::of(asked.as_deref(), PAGE)?;
    // This one first, then by name. The roster, which is in memory, bounds them.
    let place = |device: &Device| {
        let [name, id] = [&device.name, &device.device].map(String::as_bytes);
        [&[u8::from(!device.this)], name, &[0], id].concat()
    };
    api.run(move |api| part.of_all(api.host.group().devices(), place)).await
}

#[utoipa::path(post,
    path = "/devices/rename",
    tag = "devices",
    request_body = DeviceChange,
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn rename(
    State(api): State<Api>,
    body: Result<Json<DeviceChange>, JsonRejection>,
) -> Answer<Done> {
    let asked = parsed(body)?;
    let name = asked.name.clone().ok_or_else(|| ApiError::bad("the new name is missing"))?;
    api.run(move |api| Ok(api.host.group().rename_device(&asked.device, &name).map(|()| Done {})?)).await
}

#[utoipa::path(post,
    path = "/devices/revoke",
    tag = "devices",
    request_body = DeviceChange,
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn revoke(
    State(api): State<Api>,
    body: Result<Json<DeviceChange>, JsonRejection>,
) -> Answer<Done> {
    let asked = parsed(body)?;
    api.run(move |api| Ok(api.host.group().revoke_device(&asked.device).map(|()| Done {})?)).await
}

#[utoipa::path(post,
    path = "/devices/lost",
    tag = "devices",
    request_body = DeviceChange,
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn lost(
    State(api): State<Api>,
    body: Result<Json<DeviceChange>, JsonRejection>,
) -> Answer<Done> {
    let asked = parsed(body)?;
    api.run(move |api| Ok(api.host.group().declare_lost(&asked.device).map(|()| Done {})?)).await
}

#[utoipa::path(post,
    path = "/devices/found",
    tag = "devices",
    request_body = DeviceChange,
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn found(
    State(api): State<Api>,
    body: Result<Json<DeviceChange>, JsonRejection>,
) -> Answer<Done> {
    let asked = parsed(body)?;
    api.run(move |api| Ok(api.host.group().declare_found(&asked.device).map(|()| Done {})?)).await
}

#[utoipa::path(post,
    path = "/invite",
    tag = "devices",
    request_body = InviteRequest,
    responses((status = 200, description = "Done", body = Invitation), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn invite(
    State(api): State<Api>,
    body: Result<Json<InviteRequest>, JsonRejection>,
) -> Answer<Invitation> {
    let asked = parsed(body)?;
    api.run(move |api| Ok(api.host.group().invite(&asked)?)).await
}

#[utoipa::path(post,
    path = "/join",
    tag = "devices",
    request_body = JoinRequest,
    responses((status = 200, description = "Done", body = Joined), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn join(
    State(api): State<Api>,
    body: Result<Json<JoinRequest>, JsonRejection>,
) -> Answer<Joined> {
    let asked = parsed(body)?;
    api.wait(move |api| Ok(api.host.group().join(&asked)?)).await
}

#[utoipa::path(get,
    path = "/log",
    tag = "drive",
    params(PartQuery),
    responses((status = 200, description = "Done", body = Page<LogLine>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn log(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Page<LogLine>> {
    let part = Part::of(asked.as_deref(), LOG_LINES)?;
    let before = part.after(version_place)?;
    api.run(move |api| {
        let lines = api.drive()?.log(part.limit(), before.as_deref())?;
        let edits = lines.iter().filter(|line| line.id.is_some()).count();
        let next = lines.last().filter(|_| edits >= part.limit()).and_then(|last| last.id.clone());
        Ok(Page { entries: lines.into_iter().map(line).collect(), next })
    })
    .await
}

fn line(line: vfs::LogLine) -> LogLine {
    LogLine {
        id: line.id,
        time: moment::to_text(line.time),
        device: line.device,
        user: line.user,
        what: line.what,
        path: line.path.map(|path| String::from_utf8_lossy(&path).into_owned()),
    }
}
