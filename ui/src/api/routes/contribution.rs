//! What this computer gives.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use super::parsed;
use crate::answers::{Contribution, ContributionChange, HourSpan, HoursChange, Problem};
use crate::api::work::{Answer, Api};

#[utoipa::path(get,
    path = "/contribute",
    tag = "storage",
    responses((status = 200, description = "Done", body = Contribution), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn show(State(api): State<Api>) -> Answer<Contribution> {
    api.run(|api| Ok(api.host.contribution())).await
}

#[utoipa::path(post,
    path = "/contribute",
    tag = "storage",
    request_body = ContributionChange,
    responses((status = 200, description = "Done", body = Contribution), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn change(
    State(api): State<Api>,
    body: Result<Json<ContributionChange>, JsonRejection>,
) -> Answer<Contribution> {
    let change = parsed(body)?;
    api.run(move |api| Ok(api.host.contribute(&change)?)).await
}

#[utoipa::path(get,
    path = "/hours",
    tag = "storage",
    responses((status = 200, description = "Done", body = Vec<HourSpan>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn hours(State(api): State<Api>) -> Answer<Vec<HourSpan>> {
    api.run(|api| Ok(api.host.hours())).await
}

/// They hold at once, and are kept in `config.toml`.
#[utoipa::path(post,
    path = "/hours",
    tag = "storage",
    request_body = HoursChange,
    responses((status = 200, description = "Done", body = Vec<HourSpan>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn set_hours(
    State(api): State<Api>,
    body: Result<Json<HoursChange>, JsonRejection>,
) -> Answer<Vec<HourSpan>> {
    let change = parsed(body)?;
    api.run(move |api| Ok(api.host.set_hours(&change.hours)?)).await
}
