//! The durable transactions of the index.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};

use super::layer::Layer;
use super::state::ChunkState;
use super::tables::{
    self, CACHED, CHUNKS, DAMAGED, FORMAT, INDEX_VERSION, META, PACKS, PARTITION_SUMS, PRINTS, PROGRESS,
    VALID_TO,
};
use crate::error::StoreError;
use crate::ids::ChunkId;
use crate::pack::Position;

/// Makes the tables of a new index; refuses one of a newer version before it is touched.
pub(super) fn prepare_tables(database: &Database, path: &Path) -> Result<(), StoreError> {
    let read = database.begin_read().map_err(StoreError::index)?;
    let found = match read.open_table(META) {
        Ok(meta) => {
            let row = meta.get(FORMAT).map_err(StoreError::index)?;
            row.and_then(|row| row.value().try_into().ok().map(u32::from_le_bytes))
        }
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(StoreError::index(error)),
    };
    match found {
        Some(found) if found > INDEX_VERSION => {
            return Err(StoreError::NewerFormat { path: path.to_owned(), found, known: INDEX_VERSION });
        }
        Some(_) => return Ok(()),
        None => {}
    }
    let write = database.begin_write().map_err(StoreError::index)?;
    {
        let mut meta = write.open_table(META).map_err(StoreError::index)?;
        meta.insert(FORMAT, &INDEX_VERSION.to_le_bytes()[..]).map_err(StoreError::index)?;
        write.open_table(CHUNKS).map_err(StoreError::index)?;
        write.open_table(PRINTS).map_err(StoreError::index)?;
        write.open_table(PARTITION_SUMS).map_err(StoreError::index)?;
        write.open_table(PACKS).map_err(StoreError::index)?;
    }
    write.commit().map_err(StoreError::index)
}

/// A count of the `meta` table.
pub(super) fn count_in(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &'static str,
) -> Result<u64, StoreError> {
    let row = meta.get(name).map_err(StoreError::index)?;
    Ok(row.and_then(|row| row.value().try_into().ok().map(u64::from_le_bytes)).unwrap_or(0))
}

/// How far the owners of chunks had come.
pub(super) fn read_progress(database: &Database) -> Result<BTreeMap<String, u64>, StoreError> {
    let read = database.begin_read().map_err(StoreError::index)?;
    let meta = read.open_table(META).map_err(StoreError::index)?;
    let mut progress = BTreeMap::new();
    for row in meta.range(PROGRESS..).map_err(StoreError::index)? {
        let (name, row) = row.map_err(StoreError::index)?;
        let Some(owner) = name.value().strip_prefix(PROGRESS) else { break };
        let to = row.value().try_into().map(u64::from_le_bytes).unwrap_or_default();
        progress.insert(owner.to_owned(), to);
    }
    Ok(progress)
}

/// Writes how far the owners of chunks have come.
pub(super) fn write_progress(
    write: &WriteTransaction,
    progress: BTreeMap<String, u64>,
) -> Result<(), StoreError> {
    let mut meta = write.open_table(META).map_err(StoreError::index)?;
    for (owner, to) in progress {
        let name = format!("{PROGRESS}{owner}");
        meta.insert(name.as_str(), &to.to_le_bytes()[..]).map_err(StoreError::index)?;
    }
    Ok(())
}

/// One layer's changes and all that is counted with them.
pub(super) fn write_layer(
    write: &WriteTransaction,
    layer: &Layer,
    valid_to: Option<Position>,
    sizes: &BTreeMap<u64, Option<u64>>,
) -> Result<(), StoreError> {
    let mut sums: HashMap<u16, Vec<(ChunkId, bool)>> = HashMap::new();
    let mut live: BTreeMap<u64, i64> = BTreeMap::new();
    let (mut damaged, mut cached) = (0_i64, 0_i64);
    let mut chunks = write.open_table(CHUNKS).map_err(StoreError::index)?;
    let mut sorted: Vec<_> = layer.chunks.iter().collect();
    sorted.sort_unstable_by_key(|(id, _)| **id);
    for (id, entry) in sorted {
        let old = match entry {
            Some(entry) => chunks.insert(&id.0, &tables::entry_row(entry)),
            None => chunks.remove(&id.0),
        };
        let old = old.map_err(StoreError::index)?.map(|row| tables::row_entry(&row.value()));
        for (entry, sign) in [(old.as_ref(), -1), (entry.as_ref(), 1)] {
            if let Some(entry) = entry {
                *live.entry(entry.place.at.pack).or_default() += sign * entry.place.record_bytes() as i64;
                damaged += sign * i64::from(entry.state.has(ChunkState::DAMAGED));
                cached += sign * entry.cached_bytes() as i64;
            }
        }
        if old.is_some() != entry.is_some() {
            sums.entry(id.partition()).or_default().push((*id, entry.is_some()));
        }
    }
    let mut prints = write.open_table(PRINTS).map_err(StoreError::index)?;
    for (print, id) in &layer.prints {
        prints.insert(&print.0, &id.0).map_err(StoreError::index)?;
    }
    write_sums(write, &sums)?;
    write_packs(write, &live, sizes)?;
    let mut meta = write.open_table(META).map_err(StoreError::index)?;
    for (name, change) in [(DAMAGED, damaged), (CACHED, cached)] {
        let count = count_in(&meta, name)?.saturating_add_signed(change);
        meta.insert(name, &count.to_le_bytes()[..]).map_err(StoreError::index)?;
    }
    if let Some(at) = valid_to {
        meta.insert(VALID_TO, &tables::position_row(at)[..]).map_err(StoreError::index)?;
    }
    Ok(())
}

fn write_sums(
    write: &WriteTransaction,
    changes: &HashMap<u16, Vec<(ChunkId, bool)>>,
) -> Result<(), StoreError> {
    let mut table = write.open_table(PARTITION_SUMS).map_err(StoreError::index)?;
    for (partition, changes) in changes {
        let row = table.get(partition).map_err(StoreError::index)?.map(|row| tables::row_sum(&row.value()));
        let mut sum = row.unwrap_or_default();
        for (id, is_new) in changes {
            if *is_new { sum.add(id) } else { sum.subtract(id) }
        }
        table.insert(partition, &tables::sum_row(&sum)).map_err(StoreError::index)?;
    }
    Ok(())
}

fn write_packs(
    write: &WriteTransaction,
    live: &BTreeMap<u64, i64>,
    sizes: &BTreeMap<u64, Option<u64>>,
) -> Result<(), StoreError> {
    let mut table = write.open_table(PACKS).map_err(StoreError::index)?;
    let touched: BTreeSet<u64> = live.keys().chain(sizes.keys()).copied().collect();
    for pack in touched {
        let row = table.get(pack).map_err(StoreError::index)?.map(|row| tables::row_pack(&row.value()));
        let (bytes, live_bytes) = row.unwrap_or_default();
        let live_bytes = live_bytes.saturating_add_signed(live.get(&pack).copied().unwrap_or(0));
        match sizes.get(&pack) {
            Some(None) => drop(table.remove(pack).map_err(StoreError::index)?),
            size => {
                let bytes = size.copied().flatten().unwrap_or(bytes);
                table.insert(pack, &tables::pack_row(bytes, live_bytes)).map_err(StoreError::index)?;
            }
        }
    }
    Ok(())
}
