//! Lists that are told in parts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// What is in it.
    pub entries: Vec<T>,
    /// What `after=` takes for the next part; none at the end.
    pub next: Option<String>,
}
