//! Comparing what two hosts hold of a partition.

use crate::ids::{ChunkId, ID_BYTES};

/// Order-free fingerprint of the ids in one partition: two hosts with equal sums hold the same chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionSum {
    /// Sum of the ids as 256-bit little-endian numbers, wrapping.
    pub sum: [u8; ID_BYTES],
    /// How many there are.
    pub count: u64,
}

impl PartitionSum {
    /// Counts one id in.
    pub fn add(&mut self, id: &ChunkId) {
        self.combine(id, |left, right, carry| {
            let (sum, first) = left.overflowing_add(right);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (sum, first || second)
        });
        self.count += 1;
    }

    pub(super) fn subtract(&mut self, id: &ChunkId) {
        self.combine(id, |left, right, borrow| {
            let (rest, first) = left.overflowing_sub(right);
            let (rest, second) = rest.overflowing_sub(u64::from(borrow));
            (rest, first || second)
        });
        self.count = self.count.saturating_sub(1);
    }

    fn combine(&mut self, id: &ChunkId, step: impl Fn(u64, u64, bool) -> (u64, bool)) {
        let mut carry = false;
        let (ours, _) = self.sum.as_chunks_mut::<8>();
        let (theirs, _) = id.0.as_chunks::<8>();
        for (left, right) in ours.iter_mut().zip(theirs) {
            let (word, over) = step(u64::from_le_bytes(*left), u64::from_le_bytes(*right), carry);
            *left = word.to_le_bytes();
            carry = over;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seed: u64) -> ChunkId {
        ChunkId::of(&seed.to_le_bytes())
    }

    #[test]
    fn a_partition_sum_does_not_depend_on_the_order() {
        let (mut forward, mut backward) = (PartitionSum::default(), PartitionSum::default());
        (0..20).for_each(|seed| forward.add(&id(seed)));
        (0..20).rev().for_each(|seed| backward.add(&id(seed)));
        assert_eq!(forward, backward);
        (0..20).for_each(|seed| forward.subtract(&id(seed)));
        assert_eq!(forward, PartitionSum::default());
    }
}
