//! Tokens for other programs.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{RawQuery, State};

use super::parsed;
use crate::answers::{Done, NewToken, Page, Problem, Token, TokenRequest};
use crate::api::guard::Guard;
use crate::api::paging::{PAGE, Part, PartQuery};
use crate::api::problem::ApiError;
use crate::api::query;
use crate::api::work::{Answer, Api};

#[utoipa::path(get,
    path = "/tokens",
    tag = "tokens",
    params(PartQuery),
    responses((status = 200, description = "Done", body = Page<Token>), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn list(
    State((guard, _)): State<(Arc<Guard>, Api)>,
    RawQuery(asked): RawQuery,
) -> Answer<Page<Token>> {
    // The oldest first.
    let place = |token: &Token| token.id.to_be_bytes().to_vec();
    Part::of(asked.as_deref(), PAGE)?.of_all(guard.tokens.list(), place).map(Json)
}

/// The token's text is told this once.
#[utoipa::path(post,
    path = "/tokens",
    tag = "tokens",
    request_body = TokenRequest,
    responses((status = 200, description = "Done", body = NewToken), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn create(
    State((guard, api)): State<(Arc<Guard>, Api)>,
    body: Result<Json<TokenRequest>, JsonRejection>,
) -> Answer<NewToken> {
    let asked = parsed(body)?;
    api.run(move |_| {
        let (made, text) = guard.tokens.create(&asked.name, asked.scope, &guard.workspace)?;
        Ok(NewToken { id: made.id, name: made.name, scope: made.scope, token: text.as_str().into() })
    })
    .await
}

#[utoipa::path(delete,
    path = "/tokens",
    tag = "tokens",
    params(("token" = String, Query, description = "Its id or name")),
    responses((status = 200, description = "Done", body = Done), (status = "default", description = "What, why, and what to do", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn revoke(
    State((guard, api)): State<(Arc<Guard>, Api)>,
    RawQuery(asked): RawQuery,
) -> Answer<Done> {
    let token = query::text(asked.as_deref(), "token")?;
    let token = token.ok_or_else(|| ApiError::bad("say with token= which one"))?;
    api.run(move |_| Ok(guard.tokens.revoke(&token).map(|()| Done {})?)).await
}
