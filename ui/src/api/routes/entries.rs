//! Folders and names: list, search, make, move, copy, delete and take that back.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{RawQuery, State};

use vfs::{Filter, Kind, Wanted};

use super::parsed;
use crate::answers::{
    Copies, CopiesRequest, Count, Deleted, Done, Entry, FileCopies, Folder, Found, FoundEntry, Problem,
    Undelete,
};
use crate::api::entry::{Company, entry};
use crate::api::paging::{PAGE, Part, PartQuery, Sizes, place_text};
use crate::api::problem::ApiError;
use crate::api::query;
use crate::api::work::{Answer, Api};
use crate::moment;

/// Names that a search finds in one part.
const FOUND: Sizes = Sizes { usual: 200, most: 200 };
/// Files whose copies are counted in one answer at most: what a page shows at once.
const MAX_COUNTED: usize = 64;
/// How long a search looks around: somebody is typing.
const SEARCH_PATIENCE: Duration = Duration::from_millis(500);

#[utoipa::path(get,
    path = "/files",
    tag = "files",
    params(("path" = Option<String>, Query, description = "Path in the drive, percent-encoded; the root if it is left out"), PartQuery),
    responses((status = 200, description = "Done", body = Folder), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn list(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Folder> {
    let path = query::value(asked.as_deref(), "path")?.unwrap_or_default();
    let part = Part::of(asked.as_deref(), PAGE)?;
    let after = part.after_number()?;
    api.run(move |api| {
        let page = api.drive()?.list_folder(&path, after, part.limit())?;
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
    params(("words" = Option<String>, Query, description = "All of them are in the names found"), ("under" = Option<String>, Query, description = "Folder to look in"), PartQuery, ("kind" = Option<String>, Query, description = "`file`, `folder` or `symlink`"), ("min" = Option<u64>, Query, description = "Bytes at least"), ("max" = Option<u64>, Query, description = "Bytes at most"), ("since" = Option<String>, Query, description = "Changed then or later, RFC 3339"), ("until" = Option<String>, Query, description = "Changed then or before")),
    responses((status = 200, description = "Done", body = Found), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn search(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Found> {
    let asked = asked.as_deref();
    let words = query::text(asked, "words")?.unwrap_or_default();
    let filter = filter(asked)?;
    let under = query::value(asked, "under")?.unwrap_or_default();
    let part = Part::of(asked, FOUND)?;
    api.run(move |api| find(api, Wanted::Words(&words, filter), &under, &part)).await
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

/// Files that are not safe, by name.
#[utoipa::path(get,
    path = "/files/at_risk",
    tag = "files",
    params(PartQuery),
    responses((status = 200, description = "Done", body = Found), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn at_risk(State(api): State<Api>, RawQuery(asked): RawQuery) -> Answer<Found> {
    let part = Part::of(asked.as_deref(), FOUND)?;
    api.run(move |api| find(api, Wanted::NotSafe, b"", &part)).await
}

fn find(api: &Api, wanted: Wanted<'_>, under: &[u8], part: &Part) -> Result<Found, ApiError> {
    let after = part.after_bytes()?;
    let (after, limit) = (after.as_deref(), part.limit());
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
        next: found.next.map(|next| place_text(&next)),
    })
}

/// On how many computers these files are. It is asked of the other computers, for the files that somebody looks at: no list of who holds
/// what is kept, and counting for each entry of a folder would make its first rows wait for them.
#[utoipa::path(post,
    path = "/files/copies",
    tag = "files",
    request_body = CopiesRequest,
    responses((status = 200, description = "Done", body = Copies), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn copies(
    State(api): State<Api>,
    body: Result<Json<CopiesRequest>, JsonRejection>,
) -> Answer<Copies> {
    let asked = parsed(body)?.paths;
    if asked.is_empty() || asked.len() > MAX_COUNTED {
        return Err(ApiError::bad(format!("name 1 to {MAX_COUNTED} paths")));
    }
    let wrong = || ApiError::bad("each path is one of an entry, percent-encoded");
    let paths: Option<Vec<Vec<u8>>> = asked.iter().map(|path| query::decoded(path)).collect();
    let paths = paths.ok_or_else(wrong)?;
    api.wait(move |api| {
        let told = api.host.group().copies(&paths)?;
        let files = told.counted.into_iter();
        let files = files.map(|(at, copies)| FileCopies { path: asked[at].clone(), copies });
        Ok(Copies { wanted: told.wanted, files: files.collect() })
    })
    .await
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
