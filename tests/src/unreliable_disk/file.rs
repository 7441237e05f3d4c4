//! A file: what is read, and what would be there after a cut.

use std::collections::BTreeSet;

use super::Cut;
use super::platter::Odds;
use crate::Dice;

/// What a disk writes whole or not at all, bytes.
const BLOCK_BYTES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct File {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Blocks that differ, or may.
    dirty: BTreeSet<usize>,
}

impl File {
    pub(super) fn len(&self) -> u64 {
        self.live.len() as u64
    }

    pub(super) fn read(&self, offset: u64, len: usize) -> &[u8] {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.live.len());
        &self.live[start..self.live.len().min(start + len)]
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let start = offset as usize;
        let end = start + data.len();
        if end > self.live.len() {
            self.set_len(end as u64);
        }
        self.live[start..end].copy_from_slice(data);
        self.dirty.extend(start / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES));
    }

    pub(super) fn set_len(&mut self, len: u64) {
        let (old, new) = (self.live.len(), len as usize);
        self.live.resize(new, 0);
        let (from, to) = (old.min(new), old.max(new));
        self.dirty.extend(from / BLOCK_BYTES..to.div_ceil(BLOCK_BYTES));
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for block in std::mem::take(&mut self.dirty) {
            self.keep(block);
        }
    }

    pub(super) fn cut(&mut self, odds: Odds, dice: &mut Dice, cut: &mut Cut) {
        // The length is written apart from the blocks.
        if odds.keep(dice) {
            self.durable.resize(self.live.len(), 0);
        }
        for block in std::mem::take(&mut self.dirty) {
            if odds.keep(dice) {
                self.keep(block);
                cut.blocks_kept += 1;
            } else {
                cut.blocks_lost += 1;
            }
        }
        self.live.clone_from(&self.durable);
    }

    /// The block as it is now, as far as the file on the disk is long.
    fn keep(&mut self, block: usize) {
        let start = block * BLOCK_BYTES;
        let end = (start + BLOCK_BYTES).min(self.live.len()).min(self.durable.len());
        if start < end {
            self.durable[start..end].copy_from_slice(&self.live[start..end]);
        }
    }
}
