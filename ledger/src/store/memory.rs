//! Rows in memory, for tests and simulations.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use super::{Backing, Batch, Glance, StoreError, Table};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A backing that forgets everything when it is dropped.
#[derive(Default)]
pub struct MemoryBacking {
    tables: RwLock<[Rows; Table::ALL.len()]>,
}

impl Backing for MemoryBacking {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        Ok(tables[table as usize].get(key).cloned())
    }

    fn scan_some(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        glance: &mut dyn FnMut(&[u8]) -> Glance,
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let to = to.map_or(Bound::Unbounded, Bound::Excluded);
        for (key, value) in tables[table as usize].range::<[u8], _>((Bound::Included(from), to)) {
            match glance(key) {
                Glance::Pass => {}
                Glance::Take if f(key, value) => {}
                Glance::Take | Glance::Stop => break,
            }
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        batch.for_each(&mut |table, key, value| {
            let rows = &mut tables[table as usize];
            match value {
                Some(value) => rows.insert(key.to_vec(), value.to_vec()),
                None => rows.remove(key),
            };
        });
        Ok(())
    }

    fn compact(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
}
