//! The REST API of the daemon: on loopback only, for whoever has the token.
//!
//! ```text
//!   connection ─▶ server   bounded in number and time
//!             └─▶ guard    right Host, right Origin, right token; else nothing is told
//!             └─▶ routes   one module per group of commands ─▶ Host, vfs::Drive
//! ```
//!
//! Answers are the types of [`crate::answers`]; refusals are `application/problem+json`.

mod group;
mod guard;
mod host;
mod problem;
mod query;
mod routes;
mod scrub_job;
mod server;
#[cfg(test)]
mod tests;
mod work;

pub use group::Group;
pub use guard::{ApiToken, TOKEN_CHARS};
pub use host::{Facts, Host, Refusal};
pub(crate) use query::encode as encode_query;
pub use server::{ApiServer, ServeError};

/// Where all routes begin.
pub const API_PREFIX: &str = "/api/v1";
