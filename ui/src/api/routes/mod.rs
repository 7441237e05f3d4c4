//! The routes, one module per group of commands.

pub(super) mod care;
pub(super) mod contribution;
pub(super) mod daemon;
pub(super) mod entries;
pub(super) mod files;
pub(super) mod keys;
pub(super) mod leave;
pub(super) mod panel;
pub(super) mod policy;
pub(super) mod sessions;
pub(super) mod status;
pub(super) mod transfers;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};

use super::API_PREFIX;
use super::guard::{Guard, guard_caller, guard_place};
use super::problem::ApiError;
use super::work::Api;

/// Bytes of a request's body at most: the largest is a passphrase.
const MAX_BODY_BYTES: usize = 16 << 10;
/// Longest work for one request; long work has routes of its own that ask how far it is.
const ANSWER_WAIT: Duration = Duration::from_secs(120);

/// ```text
/// right place ─┬─ anybody:          the panel's files, signing in, /healthz
///              └─ token or session: all else, even which routes there are
/// ```
pub(super) fn router(api: Api, guard: &Arc<Guard>) -> Router {
    let known = Router::new()
        .nest(API_PREFIX, routes(guard))
        .route("/metrics", get(panel::metrics))
        .fallback(async || {
            ApiError::new(StatusCode::NOT_FOUND, "this API has no such route; see docs/api.md")
        })
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this route takes another method; see docs/api.md")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(in_time))
        .merge(streams())
        .layer(from_fn_with_state(Arc::clone(guard), guard_caller));
    let anybody = open_routes(guard).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).layer(from_fn(in_time));
    anybody.merge(known).layer(from_fn_with_state(Arc::clone(guard), guard_place)).with_state(api)
}

/// For whoever is on this computer; nothing of the drive is in them.
fn open_routes(guard: &Arc<Guard>) -> Router<Api> {
    let routes = Router::new().route("/healthz", get(panel::healthz));
    if guard.sessions.is_none() {
        return routes;
    }
    let sign_in = post(sessions::sign_in).with_state(Arc::clone(guard));
    routes
        .route("/", get(super::panel::page))
        .route("/panel/{*path}", get(super::panel::file))
        .route(&format!("{API_PREFIX}/session"), sign_in)
}

/// What takes as long as its content is long; each has bounds of its own.
fn streams() -> Router<Api> {
    let routes = Router::new()
        .route("/files/content", get(transfers::download))
        .route("/files/zip", get(transfers::zip))
        .route("/uploads", post(transfers::begin_upload).options(transfers::upload_options))
        .route(
            "/uploads/{address}",
            patch(transfers::go_on).head(transfers::upload_state).delete(transfers::end_upload),
        )
        .route("/events", get(panel::events))
        .layer(DefaultBodyLimit::disable());
    Router::new().nest(API_PREFIX, routes)
}

fn routes(guard: &Arc<Guard>) -> Router<Api> {
    let browsers = Router::new()
        .route("/sessions", get(sessions::list).delete(sessions::sign_out))
        .route("/panel", post(sessions::link))
        .with_state(Arc::clone(guard));
    Router::new()
        .route("/status", get(status::status))
        .route("/status/if_lost", post(status::if_lost))
        .route("/devices", get(status::devices))
        .route("/devices/rename", post(status::rename))
        .route("/devices/revoke", post(status::revoke))
        .route("/devices/lost", post(status::lost))
        .route("/devices/found", post(status::found))
        .route("/workspace/policy", get(policy::show).post(policy::change))
        .route("/leave", get(leave::show).post(leave::change))
        .route("/invite", post(status::invite))
        .route("/join", post(status::join))
        .route("/log", get(status::log))
        .route("/history", get(files::history))
        .route("/restore", post(files::restore))
        .route("/conflicts", get(files::conflicts))
        .route("/conflicts/resolve", post(files::resolve))
        .route("/where", get(files::whereabouts))
        .route("/wait", post(care::wait))
        .route("/scrub", get(care::scrub_state).post(care::start_scrub).delete(care::stop_scrub))
        .route("/doctor", get(care::doctor))
        .route("/contribute", get(contribution::show).post(contribution::change))
        .route("/keys", get(keys::show))
        .route("/keys/passphrase", post(keys::passphrase))
        .route("/keys/recovery", post(keys::recovery))
        .route("/keys/lock", post(keys::lock))
        .route("/files", get(entries::list).delete(entries::delete))
        .route("/files/entry", get(entries::one))
        .route("/files/at_risk", get(entries::at_risk))
        .route("/files/folder", post(entries::make_folder))
        .route("/files/move", post(entries::relocate))
        .route("/files/copy", post(entries::copy))
        .route("/files/undelete", post(entries::undelete))
        .route("/search", get(entries::search))
        .route("/openapi.json", get(super::openapi::document))
        .route("/storage", get(panel::storage))
        .route("/qr", post(panel::qr))
        .route("/down", post(daemon::down))
        .merge(browsers)
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_WAIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            ApiError::new(StatusCode::GATEWAY_TIMEOUT, "this takes too long: look at `peerdrive doctor`")
                .into_response()
        }
    }
}
