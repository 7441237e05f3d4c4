//! The content of a file: settled pieces, unsettled changes over them, and how one becomes the other.

pub(crate) mod manifest;
pub(crate) mod overlay;
pub(crate) mod page;
pub(crate) mod paging;
pub(crate) mod view;

use chunkstore::{ChunkRef, StoreError, StoreErrorKind};

use crate::Error;

/// Zeros at least this long are kept as a hole; shorter ones are data like any other. Bytes.
pub(crate) const HOLE_MIN_BYTES: u64 = 32 << 10;

/// The store's form of a chunk reference.
pub(crate) fn from_ledger(chunk: &ledger::ChunkRef) -> chunkstore::ChunkRef {
    chunkstore::ChunkRef {
        id: chunkstore::ChunkId(chunk.id),
        key: chunkstore::ChunkKey(chunk.key),
        len: chunk.len,
    }
}

/// The ledger's form of a chunk reference.
pub(crate) fn to_ledger(chunk: &chunkstore::ChunkRef) -> ledger::ChunkRef {
    ledger::ChunkRef { id: chunk.id.0, key: chunk.key.0, len: chunk.len }
}

/// What a failure to read a chunk means to a caller.
pub(crate) fn read_error(chunk: &ChunkRef, error: &StoreError) -> Error {
    match error {
        StoreError::NotFound(id) => Error::Missing(*id),
        StoreError::Damaged { id, .. } => {
            tracing::warn!(%error, "a good copy is wanted");
            Error::Missing(*id)
        }
        error => {
            tracing::debug!(id = %chunk.id, "a chunk cannot be read");
            store_error(error)
        }
    }
}

/// What a failure of the store means to a caller.
pub(crate) fn store_error(error: &StoreError) -> Error {
    match error.kind() {
        StoreErrorKind::Full => Error::NoSpace,
        StoreErrorKind::ReadOnly => Error::ReadOnly,
        _ => {
            tracing::warn!(%error, "the chunk store refused");
            Error::Io
        }
    }
}
