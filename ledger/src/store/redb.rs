//! Rows in redb, over whatever storage it is given (a file, a file that encrypts its sectors, one that fails on
//! purpose).
//!
//! One redb table per [`Table`]. Writing is one durable transaction with quick repair, so that opening after a crash
//! does not walk the database. Reading goes through one cached read transaction, renewed after each write.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};

use super::checked::{checked, with_check};
use super::{Backing, Batch, Glance, StoreError, Table};

/// Magic of the format row.
const MAGIC: &[u8; 8] = b"PDtree\0\0";
/// The version of the tables' layout and of all rows in them.
const FORMAT: u32 = 1;
/// Key of the format row, in [`Table::Meta`].
const FORMAT_KEY: &[u8] = b"\0format";
const NAMES: [&str; Table::ALL.len()] = [
    "meta",
    "inodes",
    "children",
    "ids",
    "versions",
    "xattrs",
    "graves",
    "contested",
    "log",
    "roster",
    "local",
];

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Committed rows in a redb database.
pub struct RedbBacking {
    // Taken out only while compacting.
    database: Mutex<Option<Database>>,
    snapshot: RwLock<Option<Arc<Vec<Rows>>>>,
    failed: AtomicBool,
}

impl RedbBacking {
    /// Opens the database in `storage`, making it if that is empty.
    ///
    /// # Errors
    /// The storage fails, holds something else (or was opened with the wrong key), or a newer format.
    pub fn open(storage: impl redb::StorageBackend, cache_bytes: usize) -> Result<Self, StoreError> {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(cache_bytes);
        let (database, snapshot) = unless_broken(|| {
            let database = builder.create_with_backend(storage).map_err(|error| match error {
                redb::DatabaseError::Storage(redb::StorageError::Io(error)) if is_not_a_database(&error) => {
                    StoreError::Foreign
                }
                redb::DatabaseError::Storage(redb::StorageError::Corrupted(_)) => StoreError::Foreign,
                other => failed(&other),
            })?;
            check_format(&database)?;
            let snapshot = snapshot_of(&database)?;
            Ok((database, snapshot))
        })?;
        Ok(Self {
            database: Mutex::new(Some(database)),
            snapshot: RwLock::new(Some(Arc::new(snapshot))),
            failed: AtomicBool::new(false),
        })
    }

    fn rows(&self) -> Result<Arc<Vec<Rows>>, StoreError> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        snapshot.clone().ok_or(StoreError::Latched)
    }

    fn write_batch(&self, batch: &Batch) -> Result<(), StoreError> {
        let guard = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or(StoreError::Latched)?;
        let mut transaction = database.begin_write().map_err(|e| failed(&e))?;
        transaction.set_quick_repair(true);
        let mut result = Ok(());
        {
            let mut open = None;
            batch.for_each(&mut |table, key, value| {
                if result.is_ok() {
                    result = put(&transaction, &mut open, table, key, value);
                }
            });
        }
        result?;
        transaction.commit().map_err(|e| failed(&e))?;
        let fresh = Arc::new(snapshot_of(database)?);
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        Ok(())
    }
}

impl Drop for RedbBacking {
    /// After a panic inside redb closing it panics again.
    fn drop(&mut self) {
        let database = self.database.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // What was broken was told when it was met; nothing more can be done for it here.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(database)));
    }
}

type OpenTable<'t> = Option<(Table, redb::Table<'t, &'static [u8], &'static [u8]>)>;

fn put<'t>(
    transaction: &'t redb::WriteTransaction,
    open: &mut OpenTable<'t>,
    table: Table,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), StoreError> {
    if open.as_ref().is_none_or(|(current, _)| *current != table) {
        *open = None;
        *open = Some((table, transaction.open_table(definition(table)).map_err(|e| failed(&e))?));
    }
    let (_, rows) = open.as_mut().expect("the table was opened above");
    match value {
        Some(value) => {
            rows.insert(key, with_check(table, key, value).as_slice()).map(drop).map_err(|e| failed(&e))
        }
        None => rows.remove(key).map(drop).map_err(|e| failed(&e)),
    }
}

impl Backing for RedbBacking {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.rows()?;
        unless_broken(|| {
            let value = rows[table as usize].get(key).map_err(|e| failed(&e))?;
            value.map(|guard| checked(table, key, guard.value()).map(<[u8]>::to_vec)).transpose()
        })
    }

    fn scan_some(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        glance: &mut dyn FnMut(&[u8]) -> Glance,
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let rows = self.rows()?;
        let rows = &rows[table as usize];
        let range = match to {
            Some(to) if to <= from => return Ok(()),
            Some(to) => rows.range(from..to),
            None => rows.range(from..),
        };
        let mut range = unless_broken(|| range.map_err(|e| failed(&e)))?;
        while let Some(row) = unless_broken(|| range.next().transpose().map_err(|e| failed(&e)))? {
            let (key, value) = row;
            // The format row has its own check.
            if table == Table::Meta && key.value() == FORMAT_KEY {
                continue;
            }
            match glance(key.value()) {
                Glance::Pass => {}
                Glance::Take if f(key.value(), checked(table, key.value(), value.value())?) => {}
                Glance::Take | Glance::Stop => break,
            }
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Latched);
        }
        unless_broken(|| self.write_batch(batch)).inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    fn compact(&self) -> Result<bool, StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Latched);
        }
        let mut guard = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = guard.as_mut() else { return Err(StoreError::Latched) };
        // Readers wait here: compacting needs the database without a reader.
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        *snapshot = None;
        let done = match database.compact() {
            Ok(_) => true,
            Err(redb::CompactionError::Storage(error)) => {
                self.failed.store(true, Ordering::Release);
                return Err(failed(&error));
            }
            // A read that began before is still under way; another time.
            Err(_) => false,
        };
        *snapshot = Some(Arc::new(snapshot_of(database)?));
        Ok(done)
    }

    fn check_rows(
        &self,
        table: Table,
        from: &[u8],
        f: &mut dyn FnMut(&[u8], bool) -> bool,
    ) -> Result<(), StoreError> {
        let rows = self.rows()?;
        let mut range = unless_broken(|| rows[table as usize].range(from..).map_err(|e| failed(&e)))?;
        while let Some((key, row)) = unless_broken(|| range.next().transpose().map_err(|e| failed(&e)))? {
            let is_format = table == Table::Meta && key.value() == FORMAT_KEY;
            if !f(key.value(), is_format || checked(table, key.value(), row.value()).is_ok()) {
                break;
            }
        }
        Ok(())
    }

    fn verify(&self) -> Result<bool, StoreError> {
        let mut guard = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = guard.as_mut() else { return Err(StoreError::Latched) };
        // Readers wait here: the check needs the database without a reader.
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        *snapshot = None;
        let outcome = unless_broken(|| match database.check_integrity() {
            Ok(_) => Ok(true),
            // A read that began before is still under way; another time.
            Err(redb::DatabaseError::TransactionInProgress) => Ok(false),
            Err(redb::DatabaseError::Storage(redb::StorageError::Corrupted(_))) => Err(StoreError::Broken),
            Err(error) => Err(failed(&error)),
        });
        if outcome.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        // What can still be read shall be read, each row by its own check.
        *snapshot = unless_broken(|| snapshot_of(database)).ok().map(Arc::new);
        outcome
    }
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(NAMES[table as usize])
}

fn snapshot_of(database: &Database) -> Result<Vec<Rows>, StoreError> {
    let transaction = database.begin_read().map_err(|e| failed(&e))?;
    Table::ALL
        .iter()
        .map(|table| transaction.open_table(definition(*table)).map_err(|e| failed(&e)))
        .collect()
}

// Makes the tables and the format row of a new database, or checks those of an old one, which is not touched.
fn check_format(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_read().map_err(|e| failed(&e))?;
    match transaction.open_table(definition(Table::Meta)) {
        Ok(meta) => {
            let row = meta.get(FORMAT_KEY).map_err(|e| failed(&e))?.ok_or(StoreError::Foreign)?;
            let row: [u8; 12] = row.value().try_into().map_err(|_| StoreError::Foreign)?;
            let (magic, version) = row.split_at(8);
            let found = u32::from_be_bytes([version[0], version[1], version[2], version[3]]);
            if magic != MAGIC {
                return Err(StoreError::Foreign);
            }
            if found > FORMAT { Err(StoreError::Newer { found, known: FORMAT }) } else { Ok(()) }
        }
        Err(redb::TableError::TableDoesNotExist(_)) => make_tables(database),
        Err(error) => Err(failed(&error)),
    }
}

fn make_tables(database: &Database) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().map_err(|e| failed(&e))?;
    transaction.set_quick_repair(true);
    for table in Table::ALL {
        let mut rows = transaction.open_table(definition(table)).map_err(|e| failed(&e))?;
        if table == Table::Meta {
            let row = [&MAGIC[..], &FORMAT.to_be_bytes()].concat();
            rows.insert(FORMAT_KEY, row.as_slice()).map_err(|e| failed(&e))?;
        }
    }
    transaction.commit().map_err(|e| failed(&e))
}

/// redb ends in a panic where a page of it holds what it never wrote there. Here that is an error like any other of the disk.
fn unless_broken<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(StoreError::Broken))
}

// redb tells a foreign file by this kind.
fn is_not_a_database(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData
}

fn failed(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Failed(Arc::from(error.to_string()))
}
