//! Leaving the drive.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use super::parsed;
use crate::answers::{Leave, LeaveRequest, Problem};
use crate::api::work::{Answer, Api};

#[utoipa::path(get,
    path = "/leave",
    tag = "devices",
    responses((status = 200, description = "How far it is", body = Leave), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn show(State(api): State<Api>) -> Answer<Leave> {
    api.run(|api| Ok(api.host.group().leaving())).await
}

#[utoipa::path(post,
    path = "/leave",
    tag = "devices",
    request_body = LeaveRequest,
    responses((status = 200, description = "How far it is", body = Leave), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn change(
    State(api): State<Api>,
    body: Result<Json<LeaveRequest>, JsonRejection>,
) -> Answer<Leave> {
    let asked = parsed(body)?;
    api.run(move |api| Ok(api.host.group().leave(asked)?)).await
}
