//! Tokens for other programs.

use super::Asked;
use crate::answers::{Done, NewToken, Scope, Token, TokenRequest};
use crate::api::encode_query;
use crate::cli::Failure;
use crate::cli::arguments::TokenCommand;
use crate::cli::shown::{plain, table};

pub(super) fn run(asked: &mut Asked<'_>, command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Create { name, scope } => create(asked, name, scope),
        TokenCommand::List => list(asked),
        TokenCommand::Revoke { token } => revoke(asked, &token),
    }
}

/// The word of a scope, as it is typed.
pub(super) fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Write => "write",
        Scope::Admin => "admin",
    }
}

fn create(asked: &mut Asked<'_>, name: String, scope: Scope) -> Result<(), Failure> {
    let made: NewToken = asked.connect()?.post("/tokens", &TokenRequest { name, scope })?;
    if asked.output.is_json() {
        return asked.output.json(&made);
    }
    asked.output.line(&made.token)?;
    asked.output.hint("Only its hash is kept: it is not shown again. `peerdrive token revoke` ends it.");
    Ok(())
}

fn list(asked: &mut Asked<'_>) -> Result<(), Failure> {
    let tokens: Vec<Token> = asked.connect()?.list("/tokens", usize::MAX)?;
    if asked.output.is_json() {
        return asked.output.json(&tokens);
    }
    let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
    table(&rows).into_iter().try_for_each(|line| asked.output.line(line))
}

fn row(token: &Token) -> Vec<String> {
    let used = token.used.as_ref().map_or("not used since the start".into(), |used| format!("used {used}"));
    let made = format!("made {}", token.created);
    vec![token.id.to_string(), plain(&token.name), scope_word(token.scope).into(), made, used]
}

fn revoke(asked: &mut Asked<'_>, token: &str) -> Result<(), Failure> {
    let route = format!("/tokens?token={}", encode_query(token.as_bytes()));
    let done: Done = asked.connect()?.delete(&route)?;
    if asked.output.is_json() { asked.output.json(&done) } else { Ok(()) }
}
