//! Folders and names: list, search, make, move, copy, delete and take that back.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{RawQuery, State};

use data_encoding::HEXLOWER;
use vfs::{Filter, Kind, Wanted};

use super::parsed;
use crate::answers::{Count, Deleted, Done, Entry, Folder, Found, FoundEntry, Problem, Undelete};
use crate::api::entry::{Company, entry};
use crate::api::problem::ApiError;
use crate::api::query;
use crate::api::work::{Answer, Api};
use crate::moment;

/// Entries of a folder in one answer when nobody says how many.
const PAGE_ENTRIES: u64 = 1000;
/// Entries of a folder in one answer at most.
const MAX_PAGE_ENTRIES: u64 = 5000;
/// Names that a search finds at most.
const MAX_FOUND: u64 = 200;
/// How long a search looks around: somebody is typing.
const SEARCH_PATIENCE: Duration = Duration::from_millis(500);

#[utoipa::path(get,
    path = "/files",
    tag = "files",
    params(("path" = Option<String>, Query, description = "Path in the drive, percent-encoded; the root if it is left out"), ("after" = Option<String>, Query, description = "`next` of the part before"), ("limit" = Option<String>, Query, description = "Entries at most: 1 to 5000, 1000 if it is left out")),
    responses((status = 200, description = "Done", body = Folder), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn list(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Folder> {
    let path = query::value(asked.as_deref(), "path")?.unwrap_or_default();
    let after = query::number(asked.as_deref(), "after")?.unwrap_or(0);
    let limit = query::number(asked.as_deref(), "limit")?.unwrap_or(PAGE_ENTRIES);
    if limit == 0 || limit > MAX_PAGE_ENTRIES {
        return Err(ApiError::bad(format!("a folder is told in parts of 1 to {MAX_PAGE_ENTRIES} entries")));
    }
    api.run(move |api| {
        let page = api.drive()?.list_folder(&path, after, usize::try_from(limit).unwrap_or(usize::MAX))?;
        let company = Company::of(&api.host.group().peers());
        Ok(Folder {
            path: String::from_utf8_lossy(&path).into_owned(),
            entries: page.entries.into_iter().map(|listed| entry(&path, &listed, company)).collect(),
            next: page.next.map(|next| next.to_string()),
        })
    })
    .await
}

#[utoipa::path(get,
    path = "/files/entry",
    tag = "files",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded")),
    responses((status = 200, description = "Done", body = Entry), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn one(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Entry> {
    let path = query::path(asked.as_deref(), "path")?;
    api.run(move |api| {
        let listed = api.drive()?.listed(&path)?;
        let company = Company::of(&api.host.group().peers());
        let above = path.strip_suffix(listed.name.as_slice()).unwrap_or(&path);
        Ok(entry(above, &listed, company))
    })
    .await
}

#[utoipa::path(get,
    path = "/search",
    tag = "files",
    params(("words" = Option<String>, Query, description = "All of them are in the names found"), ("under" = Option<String>, Query, description = "Folder to look in"), ("limit" = Option<String>, Query, description = "Names at most: 1 to 200"), ("after" = Option<String>, Query, description = "`next` of the part before"), ("kind" = Option<String>, Query, description = "`file`, `folder` or `symlink`"), ("min" = Option<u64>, Query, description = "Bytes at least"), ("max" = Option<u64>, Query, description = "Bytes at most"), ("since" = Option<String>, Query, description = "Changed then or later, RFC 3339"), ("until" = Option<String>, Query, description = "Changed then or before")),
    responses((status = 200, description = "Done", body = Found), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn search(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Found> {
    let asked = asked.as_deref();
    let words = query::text(asked, "words")?.unwrap_or_default();
    let filter = filter(asked)?;
    let under = query::value(asked, "under")?.unwrap_or_default();
    let limit = query::number(asked, "limit")?.unwrap_or(MAX_FOUND);
    let after = query::text(asked, "after")?.map(|text| place(&text)).transpose()?;
    api.run(move |api| find(api, Wanted::Words(&words, filter), (&under, after.as_deref()), limit)).await
}

fn filter(asked: Option<&str>) -> Result<Filter, ApiError> {
    let kind = query::text(asked, "kind")?.map(|word| match word.as_str() {
        "file" => Ok(Kind::File),
        "folder" => Ok(Kind::Directory),
        "symlink" => Ok(Kind::Symlink),
        _ => Err(ApiError::bad("\"kind\" is file, folder or symlink")),
    });
    let time = |name| {
        let text = query::text(asked, name)?;
        text.map(|text| moment::from_text(&text).map_err(ApiError::bad)).transpose()
    };
    Ok(Filter {
        kind: kind.transpose()?,
        min_bytes: query::number(asked, "min")?,
        max_bytes: query::number(asked, "max")?,
        since: time("since")?,
        until: time("until")?,
    })
}

/// A place to go on at, out of its text.
fn place(text: &str) -> Result<Vec<u8>, ApiError> {
    let wrong = |_| ApiError::bad("\"after\" is what `next` said before, and this is something else");
    HEXLOWER.decode(text.as_bytes()).map_err(wrong)
}

/// Files that are not safe, by name.
#[utoipa::path(get,
    path = "/files/at_risk",
    tag = "files",
    responses((status = 200, description = "Done", body = Found), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn at_risk(State(api): State<Api>) -> Answer<Found> {
    api.run(move |api| find(api, Wanted::NotSafe, (b"", None), MAX_FOUND)).await
}

fn find(
    api: &Api,
    wanted: Wanted<'_>,
    (under, after): (&[u8], Option<&[u8]>),
    limit: u64,
) -> Result<Found, ApiError> {
    let limit = usize::try_from(limit.clamp(1, MAX_FOUND)).unwrap_or(usize::MAX);
    let asked = vfs::Search { wanted, under, after, limit, patience: SEARCH_PATIENCE };
    let found = api.drive()?.search(&asked)?;
    let company = Company::of(&api.host.group().peers());
    let entries = found.found.into_iter().map(|(folder, listed)| FoundEntry {
        folder: String::from_utf8_lossy(&folder).into_owned(),
        entry: entry(&folder, &listed, company),
    });
    Ok(Found {
        entries: entries.collect(),
        complete: found.next.is_none(),
        next: found.next.map(|next| HEXLOWER.encode(&next)),
    })
}

#[utoipa::path(post,
    path = "/files/folder",
    tag = "files",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded")),
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn make_folder(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Done> {
    let path = query::path(asked.as_deref(), "path")?;
    api.run(move |api| Ok(api.drive()?.make_folder(&path).map(|_| Done {})?)).await
}

#[utoipa::path(post,
    path = "/files/move",
    tag = "files",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded"), ("to" = String, Query, description = "Where to, percent-encoded")),
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn relocate(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Done> {
    let (path, to) = both(asked.as_deref())?;
    api.run(move |api| Ok(api.drive()?.move_path(&path, &to).map(|()| Done {})?)).await
}

#[utoipa::path(post,
    path = "/files/copy",
    tag = "files",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded"), ("to" = String, Query, description = "Where to, percent-encoded")),
    responses((status = 200, description = "Done", body = Count), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn copy(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Count> {
    let (path, to) = both(asked.as_deref())?;
    api.run(move |api| Ok(api.drive()?.copy_path(&path, &to).map(|entries| Count { entries })?)).await
}

#[utoipa::path(delete,
    path = "/files",
    tag = "files",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded")),
    responses((status = 200, description = "Done", body = Deleted), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn delete(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Deleted> {
    let path = query::path(asked.as_deref(), "path")?;
    api.run(move |api| {
        let removed = api.drive()?.remove_path(&path)?;
        Ok(Deleted { entries: removed.entries, since: moment::to_text(removed.since) })
    })
    .await
}

#[utoipa::path(post,
    path = "/files/undelete",
    tag = "files",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded")),
    request_body = Undelete,
    responses((status = 200, description = "Done", body = Count), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn undelete(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
    body: Result<Json<Undelete>, JsonRejection>,
) -> Answer<Count> {
    let path = query::path(asked.as_deref(), "path")?;
    let since = moment::from_text(&parsed(body)?.since).map_err(ApiError::bad)?;
    api.run(move |api| Ok(api.drive()?.undelete(&path, since).map(|entries| Count { entries })?)).await
}

fn both(asked: Option<&str>) -> Result<(Vec<u8>, Vec<u8>), ApiError> {
    Ok((query::path(asked, "path")?, query::path(asked, "to")?))
}
