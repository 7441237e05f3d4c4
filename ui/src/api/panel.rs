//! The panel's pages: embedded in the program, and the same for everybody. What they show comes from the API.
//!
//! In a debug build the files are read from `ui/panel/` at each request: change one, and load the page again.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::ApiError;
use crate::licences::texts_of;

/// Scripts and styles come from here alone and stand in files of their own; nothing frames the panel, nothing makes it HTML out of text.
const RULES: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; \
                     connect-src 'self'; frame-src 'self'; object-src 'self'; base-uri 'none'; form-action 'none'; \
                     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
/// The rest of the path is whose licence is asked for.
const LICENCES: &str = "licences/";
const PAGE: &str = "index.html";

#[derive(RustEmbed)]
#[folder = "panel/"]
struct Assets;

pub(super) async fn page(asked: HeaderMap) -> Response {
    asset(PAGE, &asked)
}

pub(super) async fn file(Path(path): Path<String>, asked: HeaderMap) -> Response {
    match path.strip_prefix(LICENCES) {
        Some(whose) => licence(whose.to_string()).await.unwrap_or_else(IntoResponse::into_response),
        None => asset(&path, &asked),
    }
}

/// The licence texts of one crate, `NAME VERSION`: they are unpacked for who asks.
async fn licence(whose: String) -> Result<Response, ApiError> {
    let wrong =
        |error: &dyn std::fmt::Display| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let text = tokio::task::spawn_blocking(move || texts_of(&whose)).await.map_err(|error| wrong(&error))?;
    let text =
        text.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "no part of this program has that name"))?;
    Response::builder()
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, RULES)
        .body(Body::from(text))
        .map_err(|error| wrong(&error))
}

fn asset(path: &str, asked: &HeaderMap) -> Response {
    let Some(file) = Assets::get(path) else {
        return ApiError::new(StatusCode::NOT_FOUND, "the panel has no such file: load the page anew")
            .into_response();
    };
    let tag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&file.metadata.sha256_hash()[..16]));
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    built(path, file, &tag, known).unwrap_or_else(IntoResponse::into_response)
}

fn built(path: &str, file: EmbeddedFile, tag: &str, known: bool) -> Result<Response, ApiError> {
    let response = Response::builder()
        .header(header::CONTENT_TYPE, kind(path))
        .header(header::ETAG, tag)
        .header(header::CACHE_CONTROL, "no-cache")
        .header(header::CONTENT_SECURITY_POLICY, RULES);
    let built = if known {
        response.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else {
        response.body(Body::from(file.data))
    };
    built.map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is fetched when it is needed first.
    const LATER: &str = "later/";

    #[test]
    fn every_script_is_asked_for_at_once() {
        let page = Assets::get(PAGE).unwrap();
        let page = std::str::from_utf8(&page.data).unwrap();
        for script in Assets::iter().filter(|path| path.ends_with(".js") && !path.starts_with(LATER)) {
            assert!(page.contains(&format!("\"/panel/{script}\"")), "{script} is in no tag of {PAGE}");
        }
    }
}
