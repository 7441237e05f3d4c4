//! A set of byte ranges, merged as they meet.

use std::collections::BTreeMap;

/// Byte ranges that do not touch each other.
#[derive(Default)]
pub(crate) struct Ranges {
    by_start: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds `start..end`.
    pub(crate) fn add(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let (mut from, mut to) = (start, end);
        while let Some((&other, &other_end)) = self.by_start.range(..=to).next_back() {
            if other_end < from {
                break;
            }
            from = from.min(other);
            to = to.max(other_end);
            self.by_start.remove(&other);
        }
        self.by_start.insert(from, to);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.by_start.clear();
    }

    /// The ranges in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.by_start.iter().map(|(start, end)| (*start, *end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_hold_exactly_what_was_added(added in prop::collection::vec((0u64..100, 0u64..20), 0..30)) {
            let mut ranges = Ranges::default();
            let mut plain = [false; 128];
            for (start, len) in added {
                ranges.add(start, start + len);
                for at in start..start + len {
                    plain[usize::try_from(at).unwrap()] = true;
                }
            }
            let mut held = [false; 128];
            let mut last_end = None;
            for (start, end) in ranges.iter() {
                prop_assert!(last_end.is_none_or(|last| start > last));
                last_end = Some(end);
                held[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()].fill(true);
            }
            prop_assert_eq!(plain, held);
        }
    }
}
