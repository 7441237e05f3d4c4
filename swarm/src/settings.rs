//! What a workspace decided, and how patient a node is.

use ledger::roster::Copies;

use crate::input::Millis;

/// Most copies of a chunk that can be asked for.
pub const COPIES_MAX: usize = ledger::roster::COPIES_MAX as usize;

/// How many copies, and how patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What the tables were made for when this node ran last, as [`Output::CopiesPlaced`](crate::Output::CopiesPlaced) told.
    pub copies: Copies,
    /// After so long without a link a peer is *late*.
    pub late_after_ms: Millis,
    /// After so long it is *away*.
    pub away_after_ms: Millis,
    /// After so long it is *lost*: its chunks are copied elsewhere.
    pub lost_after_ms: Millis,
    /// So long [`Input::AwaitCopies`](crate::Input::AwaitCopies) waits.
    pub copies_deadline_ms: Millis,
    /// So long a fetch waits for somebody who may have the chunk.
    pub fetch_deadline_ms: Millis,
    /// On a host without keys a chunk that nothing names is kept so long, and then until every member was heard.
    pub garbage_grace_ms: Millis,
    /// No other pause of giving up garbage is longer: for tests.
    pub garbage_pause_max_ms: Millis,
    /// Most chunk bytes on their way to one peer without its receipt.
    pub push_window_bytes: usize,
    /// Most chunk bytes asked of one peer at a time, about.
    pub fetch_window_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            copies: Copies::default(),
            late_after_ms: 15_000,
            away_after_ms: 15 * 60_000,
            lost_after_ms: 24 * 60 * 60_000,
            copies_deadline_ms: 30_000,
            fetch_deadline_ms: 10_000,
            garbage_grace_ms: 7 * 24 * 60 * 60_000,
            garbage_pause_max_ms: Millis::MAX,
            push_window_bytes: 32 << 20,
            fetch_window_bytes: 16 << 20,
        }
    }
}

impl Settings {
    /// Target copies within what is possible.
    pub(crate) fn copies(&self) -> usize {
        usize::from(self.copies.target).clamp(2, COPIES_MAX)
    }

    /// Who is behind the first so many keeps no copies.
    pub(crate) fn copies_max(&self) -> usize {
        usize::from(self.copies.max).clamp(self.copies(), COPIES_MAX)
    }

    /// The fewest copies that are safe.
    pub(crate) fn copies_min(&self) -> usize {
        usize::from(self.copies.min).clamp(2, self.copies())
    }
}
