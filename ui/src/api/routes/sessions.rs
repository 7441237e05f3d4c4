//! Signing in and out, and links that open the panel.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use zeroize::Zeroizing;

use super::parsed;
use crate::answers::{Done, Page, PanelLink, Problem, Scope, Session, SignIn};
use crate::api::guard::{Caller, Guard};
use crate::api::paging::{PAGE, Part, PartQuery};
use crate::api::problem::ApiError;
use crate::api::query;
use crate::api::rates::Client;
use crate::api::sessions::{LINK_LIFE, SESSION_LIFE, Sessions};
use crate::api::work::Api;

/// A link's token for a session's cookie. 403: the passphrase is asked for as well, or is wrong; the link is good for some more tries.
#[utoipa::path(post,
    path = "/session",
    tag = "sessions",
    request_body = SignIn,
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn sign_in(
    State((guard, api)): State<(Arc<Guard>, Api)>,
    headers: HeaderMap,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<Response, ApiError> {
    let mut asked = parsed(body)?;
    let sessions = sessions(&guard)?;
    let no_link = || {
        let told = "this link was used already, or is too old: `peerdrive panel` prints a new one";
        ApiError::new(StatusCode::UNAUTHORIZED, told)
    };
    // Only who has a link may try passphrases: each costs a second and 64 MiB.
    if !sessions.is_link(&asked.link) {
        guard.take_turn(Client::Stranger)?;
        return Err(no_link());
    }
    let passphrase = asked.passphrase.take().map(Zeroizing::new);
    let tried = passphrase.is_some();
    let checked = api.work(move |api| {
        Ok(api.host.check_panel_passphrase(passphrase.as_ref().map(|text| text.as_str()))?)
    });
    if let Err(refused) = checked.await {
        if tried {
            sessions.missed(&asked.link);
        }
        return Err(refused);
    }
    let browser = headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or_default();
    let secret = sessions.open(&asked.link, browser).ok_or_else(no_link)?;
    let cookie = cookie(&guard, secret.as_str(), SESSION_LIFE.as_secs());
    Ok(([(header::SET_COOKIE, cookie)], Json(Done {})).into_response())
}

#[utoipa::path(get,
    path = "/sessions",
    tag = "sessions",
    params(PartQuery),
    responses((status = 200, description = "Done", body = Page<Session>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn list(
    State(guard): State<Arc<Guard>>,
    Extension(caller): Extension<Caller>,
    RawQuery(asked): RawQuery,
) -> Result<Json<Page<Session>>, ApiError> {
    // Who came last first. Not by when they were used: that changes between two parts.
    let place = |session: &Session| (!session.id).to_be_bytes().to_vec();
    Part::of(asked.as_deref(), PAGE)?.of_all(sessions(&guard)?.list(caller.session()), place).map(Json)
}

/// Signs the session `id=` out, or the one that asks.
#[utoipa::path(delete,
    path = "/sessions",
    tag = "sessions",
    params(("id" = Option<String>, Query, description = "The session; the own one if it is left out")),
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn sign_out(
    State(guard): State<Arc<Guard>>,
    Extension(caller): Extension<Caller>,
    RawQuery(asked): RawQuery,
) -> Result<Response, ApiError> {
    let named = query::number(asked.as_deref(), "id")?;
    let own = caller.session();
    let id = named.or(own).ok_or_else(|| ApiError::bad("say with id= which session ends"))?;
    if own != Some(id) {
        caller.may(Scope::Admin)?;
    }
    if !sessions(&guard)?.close(id) {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "there is no such session: it has ended already"));
    }
    if own == Some(id) {
        return Ok(([(header::SET_COOKIE, cookie(&guard, "", 0))], Json(Done {})).into_response());
    }
    Ok(Json(Done {}).into_response())
}

#[utoipa::path(post,
    path = "/panel",
    tag = "sessions",
    params(("scope" = Option<Scope>, Query, description = "What whoever opens it may; everything if it is left out")),
    responses((status = 200, description = "Done", body = PanelLink), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn link(
    State(guard): State<Arc<Guard>>,
    RawQuery(asked): RawQuery,
) -> Result<Json<PanelLink>, ApiError> {
    let scope = query::word(asked.as_deref(), "scope")?.unwrap_or(Scope::Admin);
    let url = sessions(&guard)?.new_url(guard.address, scope).to_string();
    Ok(Json(PanelLink { url, valid_s: LINK_LIFE.as_secs() }))
}

fn sessions(guard: &Guard) -> Result<&Sessions, ApiError> {
    let off = "this daemon has no panel: start it without `--panel off`";
    guard.sessions.as_deref().ok_or_else(|| ApiError::refused(off))
}

fn cookie(guard: &Guard, secret: &str, life_s: u64) -> String {
    format!("{}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life_s}", guard.cookie_name())
}
