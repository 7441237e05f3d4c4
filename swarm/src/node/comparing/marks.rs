//! Short digests of what is kept.

use chunkstore::PartitionSum;

use crate::wire::{GroupMark, PartitionMark, short};

/// Of the partitions of a group.
pub(super) fn group_mark(sums: &[(u16, PartitionSum)]) -> GroupMark {
    let mut hasher = blake3::Hasher::new();
    for (partition, sum) in sums {
        hasher.update(&partition.to_be_bytes());
        add(&mut hasher, sum);
    }
    short(&hasher)
}

/// Of one partition.
pub(super) fn partition_mark(sum: &PartitionSum) -> PartitionMark {
    let mut hasher = blake3::Hasher::new();
    add(&mut hasher, sum);
    let [a, b, c, d, e, f, g, h, ..] = short(&hasher);
    [a, b, c, d, e, f, g, h]
}

fn add(hasher: &mut blake3::Hasher, sum: &PartitionSum) {
    hasher.update(&sum.sum);
    hasher.update(&sum.count.to_be_bytes());
}
