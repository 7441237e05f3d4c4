//! Settings of this computer that hold from the next start on.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use super::parsed;
use crate::answers::{Problem, Setting, SettingChange};
use crate::api::work::{Answer, Api};

#[utoipa::path(get,
    path = "/settings",
    tag = "settings",
    responses((status = 200, description = "Done", body = Vec<Setting>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn show(State(api): State<Api>) -> Answer<Vec<Setting>> {
    api.run(|api| Ok(api.host.settings()?)).await
}

/// It holds from the next start on.
#[utoipa::path(post,
    path = "/settings",
    tag = "settings",
    request_body = SettingChange,
    responses((status = 200, description = "Done", body = Vec<Setting>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn change(
    State(api): State<Api>,
    body: Result<Json<SettingChange>, JsonRejection>,
) -> Answer<Vec<Setting>> {
    let change = parsed(body)?;
    api.run(move |api| Ok(api.host.change_setting(&change)?)).await
}
