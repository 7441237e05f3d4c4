//! What was decided about copies.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use super::files::parsed;
use crate::answers::{Policy, PolicyChange};
use crate::api::work::{Answer, Api};

pub(in crate::api) async fn show(State(api): State<Api>) -> Answer<Policy> {
    api.run(|api| Ok(api.host.group().policy())).await
}

pub(in crate::api) async fn change(
    State(api): State<Api>,
    body: Result<Json<PolicyChange>, JsonRejection>,
) -> Answer<Policy> {
    let change = parsed(body)?;
    api.run(move |api| Ok(api.host.group().set_policy(&change)?)).await
}
