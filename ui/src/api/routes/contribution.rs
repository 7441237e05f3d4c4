//! What this computer gives.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use super::files::parsed;
use crate::answers::{Contribution, ContributionChange};
use crate::api::work::{Answer, Api};

pub(in crate::api) async fn show(State(api): State<Api>) -> Answer<Contribution> {
    api.run(|api| Ok(api.host.contribution())).await
}

pub(in crate::api) async fn change(
    State(api): State<Api>,
    body: Result<Json<ContributionChange>, JsonRejection>,
) -> Answer<Contribution> {
    let change = parsed(body)?;
    api.run(move |api| Ok(api.host.contribute(&change)?)).await
}
