//! A set of small numbers: positions of records.

/// Grows as needed; absent means not in the set.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub fn first(count: usize) -> Self {
        let mut bits = Self::default();
        (0..count).for_each(|position| bits.insert(position));
        bits
    }

    pub fn insert(&mut self, position: usize) {
        if self.0.len() <= position / 64 {
            self.0.resize(position / 64 + 1, 0);
        }
        self.0[position / 64] |= 1 << (position % 64);
    }

    pub fn contains(&self, position: usize) -> bool {
        self.0.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    pub fn union(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// The members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len() * 64).filter(|position| self.contains(*position))
    }

    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set() {
        let mut bits = Bits::first(3);
        bits.insert(130);
        bits.insert(130);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 1, 2, 130]);
        let mut other = Bits::default();
        other.insert(64);
        other.union(&bits);
        assert_eq!(other.count(), 5);
        assert!(other.contains(64) && !other.contains(65) && !other.contains(100_000));
    }
}
