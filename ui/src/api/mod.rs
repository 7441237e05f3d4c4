//! The REST API of the daemon: on loopback only, for whoever has the token.
//!
//! ```text
//!   connection ─▶ server   bounded in number and time
//!             └─▶ guard    right Host, right Origin, right token or session; else nothing is told
//!             └─▶ routes   one module per group of commands ─▶ Host, vfs::Drive
//! ```
//!
//! Answers are the types of [`crate::answers`]; refusals are `application/problem+json`.

mod archive;
mod content;
mod entry;
mod fuzzing;
mod group;
mod guard;
mod host;
mod open_file;
mod openapi;
mod paging;
mod panel;
mod problem;
mod query;
mod rates;
mod routes;
mod scrub_job;
mod server;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;
mod uploads;
mod work;

pub use fuzzing::read_request_for_fuzzing;
pub use group::{CopyCounts, Group};
pub use guard::{ApiToken, TOKEN_CHARS};
pub use host::{Facts, Host, Refusal, Room, Stored};
pub(crate) use query::encode as encode_query;
pub use server::{Access, ApiServer, ServeError};
pub use sessions::Sessions;
pub use tokens::{Keep, Tokens, TokensError};

/// Where all routes begin.
pub const API_PREFIX: &str = "/api/v1";
