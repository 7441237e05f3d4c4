//! Refusals as `application/problem+json`.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vfs::PeopleError;

use super::host::Refusal;
use super::tokens::TokenRefused;
use crate::answers::Problem;

/// When a place may be free again that was taken.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// A request that was not met.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(super) struct ApiError {
    status: StatusCode,
    detail: String,
    /// When asking again helps.
    again: Option<Duration>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), again: None }
    }

    /// All places of a kind are taken, for a moment.
    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self { again: Some(BUSY_WAIT), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// This client asked too often; `wait` is until it may again.
    pub(super) fn too_often(wait: Duration) -> Self {
        let told = format!("you ask too often: wait {} s, then go on more slowly", whole_seconds(wait));
        Self { again: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, told) }
    }

    /// The daemon has too much to do, for a moment.
    pub(super) fn overloaded() -> Self {
        let told = "too many requests at once: try again";
        Self { again: Some(BUSY_WAIT), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, told) }
    }

    /// What was sent makes no sense.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// What was sent makes sense, and cannot be done.
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }
}

impl From<PeopleError> for ApiError {
    fn from(error: PeopleError) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<vfs::Error> for ApiError {
    fn from(error: vfs::Error) -> Self {
        let (status, remedy) = match error {
            vfs::Error::NotFound | vfs::Error::Stale => (StatusCode::NOT_FOUND, "look at the folder again"),
            vfs::Error::Exists => (StatusCode::CONFLICT, "choose another name"),
            vfs::Error::NotDirectory
            | vfs::Error::IsDirectory
            | vfs::Error::NotEmpty
            | vfs::Error::Unsupported => (StatusCode::CONFLICT, "ask that of something else"),
            vfs::Error::NameTooLong | vfs::Error::Invalid => (StatusCode::BAD_REQUEST, "choose another path"),
            vfs::Error::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "take less at once"),
            vfs::Error::NoSpace => {
                (StatusCode::INSUFFICIENT_STORAGE, "raise the contribution, or free the disk")
            }
            vfs::Error::NotPermitted | vfs::Error::Denied => {
                (StatusCode::FORBIDDEN, "nothing can be done here")
            }
            vfs::Error::ReadOnly => (StatusCode::SERVICE_UNAVAILABLE, "see `peerdrive doctor`"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "see `peerdrive doctor`"),
        };
        Self::new(status, format!("{error}: {remedy}"))
    }
}

impl From<TokenRefused> for ApiError {
    fn from(refused: TokenRefused) -> Self {
        let status = match refused {
            TokenRefused::Name => StatusCode::BAD_REQUEST,
            TokenRefused::Unknown(_) => StatusCode::NOT_FOUND,
            TokenRefused::TooMany | TokenRefused::Taken => StatusCode::CONFLICT,
            TokenRefused::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, refused.to_string())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::Refused(_) => StatusCode::CONFLICT,
            Refusal::Secret(_) => StatusCode::FORBIDDEN,
            Refusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, refusal.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(problem)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(wait) = self.again {
            response.headers_mut().insert(header::RETRY_AFTER, whole_seconds(wait).into());
        }
        response
    }
}

/// Rounded up: who comes back then is not too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}
