//! The routes, one module per group of commands.

mod care;
mod contribution;
mod daemon;
mod files;
mod keys;
mod policy;
mod status;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::API_PREFIX;
use super::guard::{Guard, guard};
use super::problem::ApiError;
use super::work::Api;

/// Bytes of a request's body at most: the largest is a passphrase.
const MAX_BODY_BYTES: usize = 16 << 10;
/// Longest work for one request; long work has routes of its own that ask how far it is.
const ANSWER_WAIT: Duration = Duration::from_secs(120);

pub(super) fn router(api: Api, own_guard: Arc<Guard>) -> Router {
    let routes = Router::new()
        .route("/status", get(status::status))
        .route("/devices", get(status::devices))
        .route("/devices/rename", post(status::rename))
        .route("/devices/revoke", post(status::revoke))
        .route("/devices/lost", post(status::lost))
        .route("/devices/found", post(status::found))
        .route("/workspace/policy", get(policy::show).post(policy::change))
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
        .route("/down", post(daemon::down));
    Router::new()
        .nest(API_PREFIX, routes)
        .fallback(async || {
            ApiError::new(StatusCode::NOT_FOUND, "this API has no such route; see docs/cli.md")
        })
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this route takes another method; see docs/cli.md")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(in_time))
        .layer(from_fn_with_state(own_guard, guard))
        .with_state(api)
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
