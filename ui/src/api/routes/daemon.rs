//! The daemon itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::answers::Done;
use crate::api::work::Api;

/// Answers first; the daemon then flushes, unmounts and ends.
pub(in crate::api) async fn down(State(api): State<Api>) -> (StatusCode, Json<Done>) {
    api.scrub.stop();
    api.host.stop();
    (StatusCode::ACCEPTED, Json(Done {}))
}
