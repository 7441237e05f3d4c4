//! The user's keys: passphrase, recovery phrase, lock.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use super::parsed;
use crate::answers::{Done, Keys, PassphraseChange, Problem, Recovery, RecoveryRequest};
use crate::api::problem::ApiError;
use crate::api::work::{Answer, Api};

/// Locking means nothing without a passphrase.
const NOT_LOCKABLE: &str = "the keys have no passphrase, so whoever starts the daemon opens them: set one first \
                            with `peerdrive keys passphrase`";

#[utoipa::path(get,
    path = "/keys",
    tag = "keys",
    responses((status = 200, description = "Done", body = Keys), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn show(State(api): State<Api>) -> Answer<Keys> {
    api.run(|api| Ok(api.host.keys()?)).await
}

#[utoipa::path(post,
    path = "/keys/passphrase",
    tag = "keys",
    request_body = PassphraseChange,
    responses((status = 200, description = "Done", body = Keys), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn passphrase(
    State(api): State<Api>,
    body: Result<Json<PassphraseChange>, JsonRejection>,
) -> Answer<Keys> {
    let change = parsed(body)?;
    api.run(move |api| {
        api.host.set_passphrase(change.old.as_deref(), change.new.as_deref())?;
        Ok(api.host.keys()?)
    })
    .await
}

#[utoipa::path(post,
    path = "/keys/recovery",
    tag = "keys",
    request_body = RecoveryRequest,
    responses((status = 200, description = "Done", body = Recovery), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn recovery(
    State(api): State<Api>,
    body: Result<Json<RecoveryRequest>, JsonRejection>,
) -> Answer<Recovery> {
    let request = parsed(body)?;
    api.run(move |api| {
        let phrase = api.host.recovery_phrase(request.passphrase.as_deref())?;
        Ok(Recovery { phrase: phrase.as_str().to_string() })
    })
    .await
}

#[utoipa::path(post,
    path = "/keys/lock",
    tag = "keys",
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn lock(State(api): State<Api>) -> Answer<Done> {
    api.run(|api| {
        if !api.host.keys()?.locked {
            return Err(ApiError::refused(NOT_LOCKABLE));
        }
        api.host.stop();
        Ok(Done {})
    })
    .await
}
