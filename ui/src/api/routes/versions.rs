//! What was and where it is: history, restore, where.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{RawQuery, State};

use super::parsed;
use crate::answers::{Conflict, Done, Problem, Resolve, RestoreAt, Restored, Version, Whereabouts};
use crate::api::problem::ApiError;
use crate::api::query;
use crate::api::work::{Answer, Api};
use crate::moment;

#[utoipa::path(get,
    path = "/history",
    tag = "versions",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded")),
    responses((status = 200, description = "Done", body = Vec<Version>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn history(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
) -> Answer<Vec<Version>> {
    let path = query::path(asked.as_deref(), "path")?;
    api.run(move |api| Ok(api.drive()?.history(&path)?.into_iter().map(version).collect())).await
}

fn version(version: vfs::VersionInfo) -> Version {
    Version {
        id: version.id,
        time: moment::to_text(version.time),
        size: version.size,
        device: version.device,
        current: version.current,
        conflict: version.conflict,
        deleted: version.deleted,
    }
}

#[utoipa::path(post,
    path = "/restore",
    tag = "versions",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded"), ("to" = Option<String>, Query, description = "Path of a new file, instead of in place")),
    request_body = RestoreAt,
    responses((status = 200, description = "Done", body = Restored), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn restore(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
    body: Result<Json<RestoreAt>, JsonRejection>,
) -> Answer<Restored> {
    let path = query::path(asked.as_deref(), "path")?;
    let to = query::value(asked.as_deref(), "to")?;
    let at = match parsed(body)? {
        RestoreAt::Version(id) => vfs::RestoreAt::Version(id),
        RestoreAt::Time(time) => vfs::RestoreAt::At(moment::from_text(&time).map_err(ApiError::bad)?),
    };
    api.run(move |api| {
        let restored = api.drive()?.restore(&path, &at, to.as_deref())?;
        let path = String::from_utf8_lossy(&restored.path).into_owned();
        Ok(Restored { path, version: restored.version, size: restored.size })
    })
    .await
}

#[utoipa::path(get,
    path = "/conflicts",
    tag = "versions",
    responses((status = 200, description = "Done", body = Vec<Conflict>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn conflicts(State(api): State<Api>) -> Answer<Vec<Conflict>> {
    api.run(|api| {
        let found = api.drive()?.conflicts()?.into_iter();
        let told = found.map(|conflict| Conflict {
            path: String::from_utf8_lossy(&conflict.path).into_owned(),
            versions: conflict.versions.into_iter().map(version).collect(),
        });
        Ok(told.collect())
    })
    .await
}

#[utoipa::path(post,
    path = "/conflicts/resolve",
    tag = "versions",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded")),
    request_body = Resolve,
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn resolve(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
    body: Result<Json<Resolve>, JsonRejection>,
) -> Answer<Done> {
    let path = query::path(asked.as_deref(), "path")?;
    let keep = parsed(body)?.version;
    api.run(move |api| Ok(api.drive()?.resolve_conflict(&path, &keep).map(|()| Done {})?)).await
}

#[utoipa::path(get,
    path = "/where",
    tag = "versions",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded")),
    responses((status = 200, description = "Done", body = Whereabouts), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn whereabouts(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
) -> Answer<Whereabouts> {
    let path = query::path(asked.as_deref(), "path")?;
    api.run(move |api| {
        let drive = api.drive()?;
        let found = drive.whereabouts(&path)?;
        Ok(Whereabouts {
            path: String::from_utf8_lossy(&found.path).into_owned(),
            version: found.version,
            chunks: found.chunks,
            bytes: found.bytes,
            hosts: api.host.group().holders(&path)?,
            inline: found.inline,
            fixed: found.fixed,
            unsettled: found.unsettled,
        })
    })
    .await
}
