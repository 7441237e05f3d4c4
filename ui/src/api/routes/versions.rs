//! What was and where it is: history, restore, where.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{RawQuery, State};

use super::parsed;
use crate::answers::{Conflict, Done, Page, Problem, Resolve, RestoreAt, Restored, Version, Whereabouts};
use crate::api::paging::{PAGE, Part, PartQuery};
use crate::api::problem::ApiError;
use crate::api::query;
use crate::api::work::{Answer, Api};
use crate::moment;

#[utoipa::path(get,
    path = "/history",
    tag = "versions",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded"), PartQuery),
    responses((status = 200, description = "Done", body = Page<Version>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn history(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
) -> Answer<Page<Version>> {
    let path = query::path(asked.as_deref(), "path")?;
    let part = Part::of(asked.as_deref(), PAGE)?;
    let before = part.after(version_place)?;
    api.run(move |api| {
        let (versions, more) = api.drive()?.history_before(&path, before.as_deref(), part.limit())?;
        let next = versions.last().filter(|_| more).map(|last| last.id.clone());
        Ok(Page { entries: versions.into_iter().map(version).collect(), next })
    })
    .await
}

/// A place in what is told newest first: the id of a version, or of a line of the log.
pub(super) fn version_place(text: &str) -> Option<String> {
    vfs::is_version_id(text).then(|| text.to_string())
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
    params(PartQuery),
    responses((status = 200, description = "Done", body = Page<Conflict>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn conflicts(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
) -> Answer<Page<Conflict>> {
    let part = Part::of(asked.as_deref(), PAGE)?;
    let after = part.after_number()?;
    api.run(move |api| {
        let page = api.drive()?.conflicts(after, part.limit())?;
        let told = page.conflicts.into_iter().map(|conflict| Conflict {
            path: String::from_utf8_lossy(&conflict.path).into_owned(),
            versions: conflict.versions.into_iter().map(version).collect(),
        });
        Ok(Page { entries: told.collect(), next: page.next.map(|next| next.to_string()) })
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
