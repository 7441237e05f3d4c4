//! Content in and out: download, folder as an archive, uploads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vfs::Kind;

use crate::answers::Problem;
use crate::api::archive::{self, Form};
use crate::api::content::{self, Served};
use crate::api::open_file::{OpenFile, OpenVersion};
use crate::api::problem::ApiError;
use crate::api::uploads::{self, CHECKSUM_ALGORITHM, Checksum, Upload};
use crate::api::work::Api;
use crate::api::{API_PREFIX, query};
use crate::moment;

const TUS_VERSION: &str = "1.0.0";
const TUS_EXTENSIONS: &str = "creation,creation-with-upload,termination,checksum,expiration";
/// Kind of an upload's bytes.
const OFFSET_BYTES: &str = "application/offset+octet-stream";
/// Bytes of the tag in an upload's address.
const TAG_BYTES: usize = 8;
/// Name of the archive of the whole drive.
const WHOLE_DRIVE: &[u8] = b"drive";

#[utoipa::path(get,
    path = "/files/content",
    tag = "files",
    params(("path" = String, Query, description = "Path in the drive, percent-encoded"), ("version" = Option<String>, Query, description = "An id of `history`: that version instead of the newest, of a deleted file too"), ("download" = Option<String>, Query, description = "Present: a browser saves it instead of showing it")),
    responses((status = 200, description = "The content"), (status = 206, description = "With `Range`: a part of it"), (status = 304, description = "With `If-None-Match`: it is the same"), (status = 416, description = "There is no such part"), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn download(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked = asked.as_deref();
    let path = query::path(asked, "path")?;
    let as_download = query::value(asked, "download")?.is_some();
    let version = query::text(asked, "version")?;
    let name = last_name(&path).to_vec();
    let served = api
        .work(move |api| {
            let drive = api.drive()?;
            if let Some(id) = version {
                return Ok(Served::version(OpenVersion::open(drive, &path, &id)?, &id));
            }
            let ino = drive.resolve(&path)?;
            let file = OpenFile::open(Arc::clone(&drive), ino, false)?;
            Ok(Served::file(file, &drive.attr(ino)?))
        })
        .await?;
    content::answer(served, &name, &headers, as_download)
}

#[utoipa::path(get,
    path = "/files/zip",
    tag = "files",
    params(("path" = Option<String>, Query, description = "Path in the drive, percent-encoded; the root if it is left out")),
    responses((status = 200, description = "The folder as a .zip"), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn zip(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
) -> Result<Response, ApiError> {
    packed(api, asked.as_deref(), Form::Zip).await
}

#[utoipa::path(get,
    path = "/files/tar",
    tag = "files",
    params(("path" = Option<String>, Query, description = "Path in the drive, percent-encoded; the root if it is left out")),
    responses((status = 200, description = "The folder as a .tar.zst"), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn tar(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
) -> Result<Response, ApiError> {
    packed(api, asked.as_deref(), Form::TarZst).await
}

async fn packed(api: Api, asked: Option<&str>, form: Form) -> Result<Response, ApiError> {
    let path = query::value(asked, "path")?.unwrap_or_default();
    let busy = || ApiError::busy("two folders are being packed: wait for one of them");
    let permit = Arc::clone(&api.archives).try_acquire_owned().map_err(|_| busy())?;
    let name = Some(last_name(&path)).filter(|name| !name.is_empty()).unwrap_or(WHOLE_DRIVE);
    let name = [name, form.ending().as_bytes()].concat();
    let stream = api
        .work(move |api| {
            let drive = api.drive()?;
            if drive.attr(drive.resolve(&path)?)?.kind != Kind::Directory {
                return Err(vfs::Error::NotDirectory.into());
            }
            let failed =
                |error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot start ({error})"));
            archive::pack(drive, path, form, permit).map_err(failed)
        })
        .await?;
    let told = [
        (header::CONTENT_TYPE, form.media_type().to_string()),
        (header::CONTENT_DISPOSITION, content::disposition(&name, true)),
    ];
    Ok((told, Body::from_stream(stream)).into_response())
}

/// What this server can do.
pub(in crate::api) async fn upload_options() -> Response {
    let told = [
        ("tus-resumable", TUS_VERSION),
        ("tus-version", TUS_VERSION),
        ("tus-extension", TUS_EXTENSIONS),
        ("tus-checksum-algorithm", CHECKSUM_ALGORITHM),
    ];
    (StatusCode::NO_CONTENT, told).into_response()
}

#[utoipa::path(post,
    path = "/uploads",
    tag = "uploads",
    params(("path" = Option<String>, Query, description = "Where it goes, percent-encoded"), ("folder" = Option<String>, Query, description = "Or its folder, with `filename` in Upload-Metadata"), ("Upload-Length" = u64, Header, description = "Bytes of the whole"), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses((status = 201, description = "`Location` is where the content goes"), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn begin_upload(
    State(api): State<Api>,
    RawQuery(asked): RawQuery,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    check_version(&parts.headers)?;
    let length = number(&parts.headers, "upload-length")?;
    let path = target(asked.as_deref(), &parts.headers)?;
    let mut tag = [0; TAG_BYTES];
    api.host.random(&mut tag);
    let tag = data_encoding::HEXLOWER.encode(&tag);
    let (upload, address) = api.work(move |api| uploads::begin(&*api.drive()?, &path, length, &tag)).await?;
    let has_content = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == OFFSET_BYTES);
    let (expires, checksum) = (expiry(&upload), checksum(&parts.headers)?);
    let offset = if has_content || length == 0 { receive(&api, upload, 0, body, checksum).await? } else { 0 };
    let location = format!("{API_PREFIX}/uploads/{address}");
    Ok((StatusCode::CREATED, [("location", location), tus(), progress(offset), expires]).into_response())
}

#[utoipa::path(head,
    path = "/uploads/{address}",
    tag = "uploads",
    params(("address" = String, Path, description = "Of the upload")),
    responses((status = 200, description = "`Upload-Offset` is how much is here"), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn upload_state(
    State(api): State<Api>,
    Path(address): Path<String>,
) -> Result<Response, ApiError> {
    let (upload, offset) = api.work(move |api| uploads::find(&*api.drive()?, &address)).await?;
    let length = ("upload-length", upload.length.to_string());
    if offset == upload.length {
        // The daemon ended when all was here and nothing in its place yet; the sender has no more to send.
        receive(&api, upload.clone(), offset, Body::empty(), None).await?;
    }
    Ok((StatusCode::OK, [tus(), progress(offset), length, expiry(&upload)]).into_response())
}

#[utoipa::path(patch,
    path = "/uploads/{address}",
    tag = "uploads",
    params(("address" = String, Path, description = "Of the upload"), ("Upload-Offset" = u64, Header, description = "How much is here"), ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses((status = 204, description = "`Upload-Offset` is how much is here now"), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn go_on(
    State(api): State<Api>,
    Path(address): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    check_version(&parts.headers)?;
    if parts.headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != OFFSET_BYTES) {
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("send it as {OFFSET_BYTES}")));
    }
    let from = number(&parts.headers, "upload-offset")?;
    let (upload, offset) = api.work(move |api| uploads::find(&*api.drive()?, &address)).await?;
    if from != offset {
        return Err(ApiError::refused(format!(
            "{offset} bytes are here, and {from} were meant: ask with HEAD and go on there"
        )));
    }
    let checksum = checksum(&parts.headers)?;
    let upload = upload.sent_to_now();
    let expires = expiry(&upload);
    let offset = receive(&api, upload, from, body, checksum).await?;
    Ok((StatusCode::NO_CONTENT, [tus(), progress(offset), expires]).into_response())
}

#[utoipa::path(delete,
    path = "/uploads/{address}",
    tag = "uploads",
    params(("address" = String, Path, description = "Of the upload")),
    responses((status = 204, description = "It is given up"), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn end_upload(
    State(api): State<Api>,
    Path(address): Path<String>,
) -> Result<Response, ApiError> {
    api.work(move |api| {
        let drive = api.drive()?;
        let (upload, _) = uploads::find(&drive, &address)?;
        let _receiving = api.uploads.receive(upload.ino)?;
        Ok(drive.drop_partial(upload.ino)?)
    })
    .await?;
    Ok((StatusCode::NO_CONTENT, [tus()]).into_response())
}

/// Takes what comes; what is whole then goes to its place.
async fn receive(
    api: &Api,
    upload: Upload,
    from: u64,
    body: Body,
    checksum: Option<Checksum>,
) -> Result<u64, ApiError> {
    let receiving = api.uploads.receive(upload.ino)?;
    let (known, is_checked) = (upload.clone(), checksum.is_some());
    let open = move |api: &Api| {
        let drive = api.drive()?;
        uploads::ready(&drive, &known, from, is_checked)?;
        Ok(Arc::new(OpenFile::open(drive, known.ino, true)?))
    };
    let file = api.work(open).await?;
    let offset = uploads::take_in(&file, &upload, from, body, checksum.as_ref()).await?;
    if is_checked {
        let known = upload.clone();
        api.work(move |api| uploads::accept(&*api.drive()?, &known)).await?;
    }
    if offset == upload.length {
        api.work(move |api| {
            let finished = api.drive()?.finish_partial(upload.ino, &upload.path);
            drop((file, receiving));
            Ok(finished?)
        })
        .await?;
    }
    Ok(offset)
}

/// Where an upload goes: `path=`, or `folder=` and the file's name in the metadata, as general tus clients send it.
fn target(asked: Option<&str>, headers: &HeaderMap) -> Result<Vec<u8>, ApiError> {
    if let Some(path) = query::value(asked, "path")? {
        return Ok(path);
    }
    let folder = query::value(asked, "folder")?.unwrap_or_default();
    let told = headers.get("upload-metadata").and_then(|told| told.to_str().ok()).unwrap_or_default();
    let name = uploads::metadata(told, "filename").or_else(|| uploads::metadata(told, "name"));
    let name = name.ok_or_else(|| {
        ApiError::bad("say with path= where this goes, or send its filename in Upload-Metadata")
    })?;
    if name.contains(&b'/') {
        return Err(ApiError::bad("a filename has no slash: say with path= or folder= where it goes"));
    }
    Ok([folder.as_slice(), b"/", &name].concat())
}

fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, ApiError> {
    let told = headers.get("upload-checksum");
    told.map(|told| Checksum::parse(told.to_str().unwrap_or_default())).transpose()
}

/// RFC 9110's form of a date, as tus wants it.
fn expiry(upload: &Upload) -> (&'static str, String) {
    ("upload-expires", moment::http_text(upload.expires))
}

fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    let asked = headers.get("tus-resumable").and_then(|version| version.to_str().ok());
    if asked == Some(TUS_VERSION) {
        return Ok(());
    }
    let told = format!("this speaks tus {TUS_VERSION}: send \"Tus-Resumable: {TUS_VERSION}\"");
    Err(ApiError::new(StatusCode::PRECONDITION_FAILED, told))
}

fn number(headers: &HeaderMap, name: &str) -> Result<u64, ApiError> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
    value.ok_or_else(|| ApiError::bad(format!("the header {name} must be a whole number")))
}

fn tus() -> (&'static str, String) {
    ("tus-resumable", TUS_VERSION.into())
}

fn progress(offset: u64) -> (&'static str, String) {
    ("upload-offset", offset.to_string())
}

fn last_name(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b'/').rfind(|part| !part.is_empty()).unwrap_or_default()
}
