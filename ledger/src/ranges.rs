//! Sets of sequence numbers of one log, as ranges that neither overlap nor touch.

use std::collections::BTreeMap;

use crate::wire::{Reader, WireError, Writer};

/// The greatest sequence number a range may hold: no log comes near it, and what is added to it stays in range.
const SEQUENCE_MAX: u64 = 1 << 48;

/// First → last of each range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().map(|(first, last)| (*first, *last))
    }

    /// Adds all numbers from `first` to `last`.
    pub(crate) fn insert(&mut self, mut first: u64, mut last: u64) {
        while let Some((start, end)) = self.0.range(..=last.saturating_add(1)).next_back() {
            let (start, end) = (*start, *end);
            if end.saturating_add(1) < first {
                break;
            }
            self.0.remove(&start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.0.insert(first, last);
    }

    /// The range a number is in.
    pub(crate) fn around(&self, number: u64) -> Option<(u64, u64)> {
        let (first, last) = self.0.range(..=number).next_back()?;
        (number <= *last).then_some((*first, *last))
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.around(number).is_some()
    }

    /// The first number of the set from `number` on.
    pub(crate) fn first_from(&self, number: u64) -> Option<u64> {
        let behind = || self.0.range(number..).next().map(|(first, _)| *first);
        if self.contains(number) { Some(number) } else { behind() }
    }

    pub(crate) fn contains_all(&self, other: &Self) -> bool {
        other.iter().all(|(first, last)| self.around(first).is_some_and(|(_, end)| last <= end))
    }

    /// Each range as its distance from the one before and its length, so that there is one form only.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.unsigned(self.0.len() as u64);
        let mut least = 1;
        for (first, last) in self.iter() {
            w.unsigned(first - least);
            w.unsigned(last - first);
            least = last + 2;
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>, most: usize) -> Result<Self, WireError> {
        let mut ranges = BTreeMap::new();
        let mut least = 1_u64;
        let far = || WireError::Malformed("sequence out of range");
        for _ in 0..r.count(most)? {
            let first = least.checked_add(r.unsigned()?).ok_or_else(far)?;
            let last =
                first.checked_add(r.unsigned()?).filter(|last| *last <= SEQUENCE_MAX).ok_or_else(far)?;
            ranges.insert(first, last);
            least = last + 2;
        }
        Ok(Self(ranges))
    }
}

impl FromIterator<(u64, u64)> for Ranges {
    fn from_iter<T: IntoIterator<Item = (u64, u64)>>(iter: T) -> Self {
        let mut ranges = Self::default();
        iter.into_iter().for_each(|(first, last)| ranges.insert(first, last));
        ranges
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_the_set_of_what_was_put_in(
            all in proptest::collection::vec((1..60_u64, 0..6_u64), 0..20),
        ) {
            let ranges: Ranges = all.iter().map(|(first, more)| (*first, first + more)).collect();
            let numbers: BTreeSet<u64> = all.iter().flat_map(|(first, more)| *first..=first + more).collect();
            for number in 0..80 {
                prop_assert_eq!(ranges.contains(number), numbers.contains(&number));
            }
            let apart: Vec<_> = ranges.iter().collect();
            prop_assert!(apart.windows(2).all(|two| two[0].1 + 1 < two[1].0), "{:?}", apart);
            let mut w = Writer::default();
            ranges.write(&mut w);
            let mut r = Reader::new(&w.out);
            prop_assert_eq!(Ranges::read(&mut r, 100).unwrap(), ranges.clone());
            prop_assert!(r.finish().is_ok());
            prop_assert!(ranges.contains_all(&ranges));
            for number in 0..80 {
                prop_assert_eq!(ranges.first_from(number), numbers.range(number..).next().copied());
            }
        }
    }

    #[test]
    fn numbers_out_of_all_reason_are_refused() {
        let mut w = Writer::default();
        w.unsigned(1);
        w.unsigned(u64::MAX - 3);
        w.unsigned(1);
        assert!(Ranges::read(&mut Reader::new(&w.out), 9).is_err());
        let two: Ranges = [(1, 1), (3, 3)].into_iter().collect();
        let mut w = Writer::default();
        two.write(&mut w);
        assert!(Ranges::read(&mut Reader::new(&w.out), 1).is_err());
        assert!(!two.contains_all(&[(1, 3)].into_iter().collect()));
    }
}
