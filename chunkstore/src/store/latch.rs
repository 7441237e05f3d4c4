//! Remembers the first failure to write. After it, what lies on disk is not what was asked for, so no flush or
//! checkpoint may succeed until the store is opened anew and has looked.

use std::sync::OnceLock;

use super::report::Health;
use crate::error::StoreError;

#[derive(Default)]
pub(super) struct Latch {
    first: OnceLock<String>,
}

impl Latch {
    /// An error once something failed.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.first.get().map_or(Ok(()), |first| Err(StoreError::Failed(first.clone())))
    }

    /// Passes the error on and remembers it if it is the first.
    pub(super) fn close(&self, error: StoreError) -> StoreError {
        if !matches!(error, StoreError::Failed(_)) && self.first.set(error.to_string()).is_ok() {
            tracing::error!(%error, "the chunk store stops writing");
        }
        error
    }

    pub(super) fn health(&self) -> Health {
        self.first.get().map_or(Health::Ok, |first| Health::Failed(first.clone()))
    }
}
