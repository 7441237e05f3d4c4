//! Who may ask at all. Everything wrong is refused before a route is looked at.
//!
//! A web page in a browser on this computer can send requests to loopback. It cannot read the token, and three checks
//! hold even if it could guess it: the Host must be the address that is listened on (so that no foreign name was
//! pointed at loopback), an Origin must be this API's own, and Sec-Fetch-Site must not tell of a foreign page.
//!
//! Programs send the token of `api.token`, or one that was made for them and may less; the panel has a session's cookie. A browser sends cookies of its own accord, so a change
//! that comes with one must also say that it comes from the panel.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::problem::ApiError;
use super::rates::{Client, Rates};
use super::sessions::Sessions;
use super::tokens::Tokens;
use crate::answers::Scope;

/// Characters of a token: 32 random bytes in hexadecimal.
pub const TOKEN_CHARS: usize = 64;

/// The secret of `<data>/api.token`.
#[derive(Clone)]
pub struct ApiToken(Zeroizing<String>);

impl ApiToken {
    /// A token of these random bytes.
    #[must_use]
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_CHARS));
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).expect("four bits are a hexadecimal digit"));
            }
        }
        Self(text)
    }

    /// The token in the content of a token file; none if that is something else.
    #[must_use]
    pub fn parse(file: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(file).ok()?.trim_end();
        let whole = text.len() == TOKEN_CHARS && text.bytes().all(|b| b.is_ascii_hexdigit());
        whole.then(|| Self(Zeroizing::new(text.into())))
    }

    /// The text, for the file and for the header of a request.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }
}

/// What requests are held against.
pub(super) struct Guard {
    pub(super) token: ApiToken,
    pub(super) address: SocketAddr,
    /// None where there is no panel.
    pub(super) sessions: Option<Arc<Sessions>>,
    /// Those of other programs.
    pub(super) tokens: Arc<Tokens>,
    /// The drive that is open: tokens of other drives are none here.
    pub(super) workspace: String,
    pub(super) rates: Rates,
}

/// Who asked, and what they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) scope: Scope,
}

impl Caller {
    /// The browser's session, if it is a browser.
    pub(super) fn session(self) -> Option<u64> {
        match self.client {
            Client::Session(id) => Some(id),
            _ => None,
        }
    }

    /// # Errors
    /// This caller may less.
    pub(super) fn may(self, needed: Scope) -> Result<(), ApiError> {
        if self.scope >= needed {
            return Ok(());
        }
        let told = match needed {
            Scope::Admin => "this needs the scope admin: use another token, or a link of `peerdrive panel`",
            _ => {
                "this changes files, and you may only read: use another token, or a link of `peerdrive panel`"
            }
        };
        Err(ApiError::new(StatusCode::FORBIDDEN, told))
    }
}

impl Guard {
    /// Name of the session's cookie. Cookies do not know ports, and several daemons run on one computer.
    pub(super) fn cookie_name(&self) -> String {
        format!("peerdrive-{}", self.address.port())
    }

    /// The names by which this API may be called: its address, or `localhost` with its port.
    fn is_own(&self, authority: &str) -> bool {
        let port = self.address.port();
        authority == self.address.to_string() || authority.eq_ignore_ascii_case(&format!("localhost:{port}"))
    }

    /// The request was meant for this API, and no foreign page sent it.
    fn check_place(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = only(headers, &header::HOST)?;
        if !host.is_some_and(|host| self.is_own(host)) {
            let told = format!("ask http://{}, by that name", self.address);
            return Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, told));
        }
        let origin = only(headers, &header::ORIGIN)?;
        let own_origin = |origin: &str| origin.strip_prefix("http://").is_some_and(|rest| self.is_own(rest));
        let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        let own_site = site.is_none_or(|site| ["same-origin", "none"].contains(&site));
        if !origin.is_none_or(own_origin) || !own_site {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "pages of other sites may not ask this API"));
        }
        Ok(())
    }

    fn check_caller(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let caller = self.known(method, headers);
        self.take_turn(caller.as_ref().map_or(Client::Stranger, |caller| caller.client))?;
        caller
    }

    /// # Errors
    /// The client asks too often.
    pub(super) fn take_turn(&self, client: Client) -> Result<(), ApiError> {
        self.rates.take(client, Instant::now()).map_err(ApiError::too_often)
    }

    fn known(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
        if let Some(given) = only(headers, &header::AUTHORIZATION)? {
            let token = given.strip_prefix("Bearer ").ok_or_else(unauthorized)?.as_bytes();
            if self.token.is(token) {
                return Ok(Caller { client: Client::Program, scope: Scope::Admin });
            }
            let (id, scope) = self.tokens.check(token, &self.workspace).ok_or_else(unauthorized)?;
            return Ok(Caller { client: Client::Token(id), scope });
        }
        let session = self.sessions.as_ref().zip(self.cookie(headers));
        let (id, scope) =
            session.and_then(|(sessions, secret)| sessions.check(secret)).ok_or_else(unauthorized)?;
        let reads = [Method::GET, Method::HEAD].contains(method);
        if !reads && only(headers, &header::ORIGIN)?.is_none() {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "a change in a session must say where it comes from: send Origin, or use the token",
            ));
        }
        Ok(Caller { client: Client::Session(id), scope })
    }

    /// The session's secret, if the browser sent one.
    fn cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.cookie_name();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

fn unauthorized() -> ApiError {
    let told = "not signed in: `peerdrive panel` prints a link for a browser; programs send the content of api.token in the data \
                folder as \"Authorization: Bearer TOKEN\"";
    ApiError::new(StatusCode::UNAUTHORIZED, told)
}

/// The value of a header that may stand there once at most.
fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(HeaderValue::to_str).transpose();
    match (first, values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(ApiError::bad(format!("the header {name} is doubled or malformed"))),
    }
}

/// Lets only requests pass that were meant for this API, and marks answers as nobody else's business.
pub(super) async fn guard_place(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match guard.check_place(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    let headers = response.headers_mut();
    // What a route says of itself stands: pages and files of the drive have rules of their own.
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Lets only those pass who have the token or a session, and tells routes who it is.
pub(super) async fn guard_caller(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    match guard.check_caller(request.method(), request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

/// Lets only those pass who may do this.
pub(super) async fn guard_scope(State(needed): State<Scope>, request: Request, next: Next) -> Response {
    // Without a caller nobody was asked for: then nobody may.
    let caller = request.extensions().get::<Caller>().copied().ok_or_else(unauthorized);
    match caller.and_then(|caller| caller.may(needed)) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_file() {
        let token = ApiToken::from_random(&[0xa7; 32]);
        assert_eq!(token.as_str().len(), TOKEN_CHARS);
        let file = format!("{}\n", token.as_str());
        assert_eq!(ApiToken::parse(file.as_bytes()).unwrap().as_str(), token.as_str());
        for wrong in [&b""[..], b"a7", &[0xff; 64], "g".repeat(64).as_bytes(), "a".repeat(65).as_bytes()] {
            assert!(ApiToken::parse(wrong).is_none());
        }
    }
}
