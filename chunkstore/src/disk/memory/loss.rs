//! What of a file's unsynced changes a disk without power may have kept.

/// The bytes of a file as they are and as they were last made durable, with all that lies between.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { at: usize, data: Vec<u8> },
    SetLen(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::SetLen(len) => bytes.resize(*len, 0),
            Self::Write { at, data } => put(bytes, *at, data),
        }
    }

    /// Applies what may have been kept of it: nothing, the beginning, some of its sectors, or all. Sectors are kept and lost one by
    /// one, as a disk reorders them.
    fn apply_after_loss(&self, bytes: &mut Vec<u8>, sector: usize, chance: &mut Chance) {
        match (chance.below(4), self) {
            (0, _) => {}
            (1, Self::Write { at, data }) => {
                let kept = chance.below(data.len() as u64 + 1) as usize;
                // A disk does not tear a sector that it overwrites; but the length of a file may be known up to any byte.
                let is_append = *at >= bytes.len();
                let whole = (at + kept) / sector * sector;
                let kept = if is_append { kept } else { whole.saturating_sub(*at) };
                put(bytes, *at, &data[..kept]);
            }
            (2, Self::Write { at, data }) => {
                let mut from = 0;
                while from < data.len() {
                    let to = data.len().min((at + from + 1).next_multiple_of(sector) - at);
                    if chance.one_in(2) {
                        put(bytes, at + from, &data[from..to]);
                    }
                    from = to;
                }
            }
            _ => self.apply(bytes),
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

impl Content {
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        Self { now: bytes.clone(), durable: bytes, unsynced: Vec::new() }
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
        // Lengths only: to compare all bytes at every flush takes longer than everything else a test does.
        debug_assert_eq!(self.now.len(), self.durable.len(), "all changes were replayed");
    }

    /// The bytes after a power loss; sectors are that many bytes.
    pub(super) fn after_loss(&self, sector: usize, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.unsynced {
            change.apply_after_loss(&mut bytes, sector, chance);
        }
        bytes
    }
}

/// A small deterministic random source (`SplitMix64`, G. Steele et al., 2014).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sectors_of_one_write_are_kept_and_lost_one_by_one() {
        let mut content = Content::holding(vec![0; 4096]);
        content.change(Change::Write { at: 256, data: vec![1; 1024] });
        let kept: BTreeSet<Vec<bool>> = (0..512)
            .map(|seed| {
                let bytes = content.after_loss(512, &mut Chance(seed));
                [300, 600, 1100].iter().map(|at| bytes[*at] == 1).collect()
            })
            .collect();
        assert_eq!(kept.len(), 8, "every combination of the three sectors it touches");
        content.sync();
        assert_eq!(content.after_loss(512, &mut Chance(1)), content.now);
    }
}
