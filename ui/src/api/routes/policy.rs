//! What was decided about copies.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use super::parsed;
use crate::answers::{Policy, PolicyChange, Problem};
use crate::api::work::{Answer, Api};

#[utoipa::path(get,
    path = "/workspace/policy",
    tag = "devices",
    responses((status = 200, description = "What holds", body = Policy), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn show(State(api): State<Api>) -> Answer<Policy> {
    api.run(|api| Ok(api.host.group().policy())).await
}

#[utoipa::path(post,
    path = "/workspace/policy",
    tag = "devices",
    request_body = PolicyChange,
    responses((status = 200, description = "What holds", body = Policy), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn change(
    State(api): State<Api>,
    body: Result<Json<PolicyChange>, JsonRejection>,
) -> Answer<Policy> {
    let change = parsed(body)?;
    api.run(move |api| Ok(api.host.group().set_policy(&change)?)).await
}
