//! The daemon itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::answers::{Done, Problem};
use crate::api::work::Api;

/// Answers first; the daemon then flushes, unmounts and ends.
#[utoipa::path(post,
    path = "/down",
    tag = "drive",
    responses((status = 202, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn down(State(api): State<Api>) -> (StatusCode, Json<Done>) {
    api.scrub.stop();
    api.host.stop();
    (StatusCode::ACCEPTED, Json(Done {}))
}
