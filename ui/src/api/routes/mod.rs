//! The routes, one module per group of commands.

pub(super) mod care;
pub(super) mod contribution;
pub(super) mod daemon;
pub(super) mod entries;
pub(super) mod keys;
pub(super) mod leave;
pub(super) mod panel;
pub(super) mod policy;
pub(super) mod sessions;
pub(super) mod settings;
pub(super) mod status;
pub(super) mod tokens;
pub(super) mod transfers;
pub(super) mod versions;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};

use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use super::API_PREFIX;
use super::guard::{Guard, guard_caller, guard_place, guard_scope};
use super::problem::ApiError;
use super::work::Api;
use crate::answers::Scope;

/// Bytes of a request's body at most: the largest is a passphrase.
const MAX_BODY_BYTES: usize = 16 << 10;
/// Answers of fewer bytes are sent as they are.
const COMPRESSED_FROM_BYTES: u64 = 16 << 10;
/// Longest work for one request; long work has routes of its own that ask how far it is.
const ANSWER_WAIT: Duration = Duration::from_secs(120);

/// ```text
/// right place ─┬─ anybody:          the panel's files, signing in, /healthz
///              └─ token or session: all else, even which routes there are; each needs a scope
/// ```
pub(super) fn router(api: Api, guard: &Arc<Guard>) -> Router {
    let known = Router::new()
        .nest(API_PREFIX, routes(guard, &api).layer(compressed()))
        .merge(for_scope(Router::new().route("/metrics", get(panel::metrics)), Scope::Read))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(in_time))
        .merge(streams())
        // Behind all routes: it holds for those that are there.
        .fallback(async || {
            ApiError::new(StatusCode::NOT_FOUND, "this API has no such route; see docs/api.md")
        })
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this route takes another method; see docs/api.md")
        })
        .layer(from_fn_with_state(Arc::clone(guard), guard_caller));
    let anybody =
        open_routes(guard, &api).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).layer(from_fn(in_time));
    anybody.merge(known).layer(from_fn_with_state(Arc::clone(guard), guard_place)).with_state(api)
}

/// For whoever is on this computer; nothing of the drive is in them.
fn open_routes(guard: &Arc<Guard>, api: &Api) -> Router<Api> {
    let routes = Router::new().route("/healthz", get(panel::healthz));
    if guard.sessions.is_none() {
        return routes;
    }
    let sign_in = post(sessions::sign_in).with_state((Arc::clone(guard), api.clone()));
    routes
        .route("/", get(super::panel::page))
        .route("/panel/{*path}", get(super::panel::file))
        .route(&format!("{API_PREFIX}/session"), sign_in)
}

/// What takes as long as its content is long; each has bounds of its own.
fn streams() -> Router<Api> {
    let reads = Router::new()
        .route("/files/content", get(transfers::download))
        .route("/files/zip", get(transfers::zip))
        .route("/files/tar", get(transfers::tar))
        .route("/events", get(panel::events));
    let writes = Router::new()
        .route("/uploads", post(transfers::begin_upload).options(transfers::upload_options))
        .route(
            "/uploads/{address}",
            patch(transfers::go_on).head(transfers::upload_state).delete(transfers::end_upload),
        );
    let routes = for_scope(reads, Scope::Read).merge(for_scope(writes, Scope::Write));
    Router::new().nest(API_PREFIX, routes.layer(DefaultBodyLimit::disable()))
}

/// Where a route stands decides who may take it.
fn routes(guard: &Arc<Guard>, api: &Api) -> Router<Api> {
    let administers = decisions().merge(who_may(guard, api));
    for_scope(looks(guard), Scope::Read)
        .merge(for_scope(changes(), Scope::Write))
        .merge(for_scope(administers, Scope::Admin))
}

fn for_scope(routes: Router<Api>, needed: Scope) -> Router<Api> {
    routes.route_layer(from_fn_with_state(needed, guard_scope))
}

/// What changes nothing.
fn looks(guard: &Arc<Guard>) -> Router<Api> {
    // Signing oneself out is everybody's; signing out others is checked there.
    let own = Router::new().route("/sessions", delete(sessions::sign_out)).with_state(Arc::clone(guard));
    Router::new()
        .route("/status", get(status::status))
        .route("/status/if_lost", post(status::if_lost))
        .route("/devices", get(status::devices))
        .route("/workspace/policy", get(policy::show))
        .route("/leave", get(leave::show))
        .route("/log", get(status::log))
        .route("/history", get(versions::history))
        .route("/conflicts", get(versions::conflicts))
        .route("/where", get(versions::whereabouts))
        .route("/wait", post(care::wait))
        .route("/scrub", get(care::scrub_state))
        .route("/doctor", get(care::doctor))
        .route("/contribute", get(contribution::show))
        .route("/hours", get(contribution::hours))
        .route("/keys", get(keys::show))
        .route("/settings", get(settings::show))
        .route("/files", get(entries::list))
        .route("/files/entry", get(entries::one))
        .route("/files/at_risk", get(entries::at_risk))
        .route("/files/copies", post(entries::copies))
        .route("/search", get(entries::search))
        .route("/openapi.json", get(super::openapi::document))
        .route("/storage", get(panel::storage))
        .route("/storage/distribution", get(panel::distribution))
        .route("/storage/written", get(panel::written))
        .route("/qr", post(panel::qr))
        .merge(own)
}

/// What changes files.
fn changes() -> Router<Api> {
    Router::new()
        .route("/files", delete(entries::delete))
        .route("/files/folder", post(entries::make_folder))
        .route("/files/move", post(entries::relocate))
        .route("/files/copy", post(entries::copy))
        .route("/files/undelete", post(entries::undelete))
        .route("/restore", post(versions::restore))
        .route("/conflicts/resolve", post(versions::resolve))
}

/// What changes more than files: devices, settings, keys, the daemon itself.
fn decisions() -> Router<Api> {
    Router::new()
        .route("/devices/rename", post(status::rename))
        .route("/devices/revoke", post(status::revoke))
        .route("/devices/lost", post(status::lost))
        .route("/devices/found", post(status::found))
        .route("/workspace/policy", post(policy::change))
        .route("/leave", post(leave::change))
        .route("/invite", post(status::invite))
        .route("/join", post(status::join))
        .route("/scrub", post(care::start_scrub).delete(care::stop_scrub))
        .route("/contribute", post(contribution::change))
        .route("/hours", post(contribution::set_hours))
        .route("/settings", post(settings::change))
        .route("/keys/passphrase", post(keys::passphrase))
        .route("/keys/recovery", post(keys::recovery))
        .route("/keys/lock", post(keys::lock))
        .route("/down", post(daemon::down))
}

/// Who may come in.
fn who_may(guard: &Arc<Guard>, api: &Api) -> Router<Api> {
    let tokens = Router::new()
        .route("/tokens", get(tokens::list).post(tokens::create).delete(tokens::revoke))
        .with_state((Arc::clone(guard), api.clone()));
    Router::new()
        .route("/sessions", get(sessions::list))
        .route("/panel", post(sessions::link))
        .with_state(Arc::clone(guard))
        .merge(tokens)
}

/// The body of a request, or what is wrong with it.
fn parsed<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, ApiError> {
    body.map(|Json(value)| value).map_err(|refused| ApiError::new(refused.status(), refused.body_text()))
}

/// Long lists become a tenth; what is short, sent as it comes, or packed already would only wait for it.
fn compressed() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESSED_FROM_BYTES))
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
