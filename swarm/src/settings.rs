//! What the owner of a workspace, or a test, may set.

use crate::input::Millis;

/// Most copies of a chunk that can be asked for.
pub const COPIES_MAX: usize = 8;

/// How many copies, and how patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Copies of each chunk, 2 to [`COPIES_MAX`].
    pub target: usize,
    /// So many copies count as safe while there are not `target` hosts with room; never fewer than two.
    pub min: usize,
    /// After so long without a link a peer is *late*.
    pub late_after_ms: Millis,
    /// After so long it is *away*.
    pub away_after_ms: Millis,
    /// After so long it is *lost*: its chunks are copied elsewhere.
    pub lost_after_ms: Millis,
    /// So long a fetch waits for somebody who may have the chunk.
    pub fetch_deadline_ms: Millis,
    /// Most chunk bytes on their way to one peer without its receipt.
    pub push_window_bytes: usize,
    /// Most chunk bytes asked of one peer at a time, about.
    pub fetch_window_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target: 3,
            min: 2,
            late_after_ms: 15_000,
            away_after_ms: 15 * 60_000,
            lost_after_ms: 24 * 60 * 60_000,
            fetch_deadline_ms: 10_000,
            push_window_bytes: 32 << 20,
            fetch_window_bytes: 16 << 20,
        }
    }
}

impl Settings {
    /// Target copies within what is possible.
    pub(crate) fn copies(&self) -> usize {
        self.target.clamp(2, COPIES_MAX)
    }

    /// The fewest copies that are safe.
    pub(crate) fn copies_min(&self) -> usize {
        self.min.clamp(2, self.copies())
    }
}
