//! Which hosts keep which partition: weighted rendezvous hashing in integers, since two machines must never disagree.
//!
//! ```text
//!  draw  u = 64 bits of BLAKE3-XOF(device) at the partition's place      each device's lot for each partition
//!  rank  -log2(u / 2^64) / weight                                        smallest first: a share as large as the weight
//!  owners = the first `target` with room, one per site while sites suffice
//! ```

use std::collections::BTreeMap;

use chunkstore::PARTITIONS;
use ledger::identity::DeviceId;

const DRAW_CONTEXT: &str = "peerdrive 2026 placement draw v1";
/// Bits after the point of a logarithm.
const FRACTION_BITS: u32 = 24;
/// A weight keeps so many of its leading bits: a contribution that changes a little moves nothing.
const WEIGHT_BITS: u32 = 4;
/// Lots of so many devices are kept though they may not host at the moment: 16 KiB each.
const LOTS_KEPT_MAX_DEVICES: usize = 64;
const WEIGHT_UNIT_BYTES: u64 = 1 << 20;

/// A host as placement sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostWeight {
    /// Which.
    pub device: DeviceId,
    /// Of [`weight_of`]; a host of weight 0 owns nothing.
    pub weight: u64,
    /// Where it stands; empty when nobody said.
    pub site: String,
    /// It takes nothing more: passed over.
    pub full: bool,
}

/// The weight of a contribution in bytes: MiB, rounded down to four leading bits, so in steps of at most an eighth.
#[must_use]
pub fn weight_of(contributed_bytes: u64) -> u64 {
    if contributed_bytes == 0 {
        return 0;
    }
    let units = (contributed_bytes / WEIGHT_UNIT_BYTES).max(1);
    let dropped = (u64::BITS - units.leading_zeros()).saturating_sub(WEIGHT_BITS);
    (units >> dropped) << dropped
}

/// The owners of a partition, first choice first. Fewer than `target` when there are not so many hosts with room.
#[must_use]
pub fn owners(partition: u16, hosts: &[HostWeight], target: usize) -> Vec<DeviceId> {
    let lots: Vec<_> = hosts.iter().map(|host| lot(draw(&host.device, partition))).collect();
    choose(hosts, &lots, target).into_iter().map(|index| hosts[index].device).collect()
}

fn choose(hosts: &[HostWeight], lots: &[u64], target: usize) -> Vec<usize> {
    let able = (0..hosts.len()).filter(|index| !hosts[*index].full && hosts[*index].weight > 0);
    let mut order: Vec<_> =
        able.map(|index| (rank(lots[index], hosts[index].weight), hosts[index].device, index)).collect();
    order.sort_unstable();
    let mut chosen: Vec<usize> = Vec::with_capacity(target);
    let mut passed = Vec::new();
    for (.., index) in order {
        if chosen.len() == target {
            break;
        }
        let site = &hosts[index].site;
        let taken = !site.is_empty() && chosen.iter().any(|other| hosts[*other].site == *site);
        if taken { passed.push(index) } else { chosen.push(index) }
    }
    chosen.extend(passed.into_iter().take(target - chosen.len()));
    chosen
}

fn draws(device: &DeviceId) -> blake3::OutputReader {
    blake3::Hasher::new_derive_key(DRAW_CONTEXT).update(device.as_bytes()).finalize_xof()
}

fn draw(device: &DeviceId, partition: u16) -> u64 {
    let mut reader = draws(device);
    reader.set_position(u64::from(partition) * 8);
    let mut bytes = [0; 8];
    reader.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// -log2(draw / 2^64) with [`FRACTION_BITS`] after the point, rounded up to at least 1.
fn lot(draw: u64) -> u64 {
    let draw = draw.max(1);
    let whole = u64::BITS - 1 - draw.leading_zeros();
    // The mantissa as 1.31 fixed point, squared again and again: each square that passes 2 is a one bit.
    let mut mantissa = (draw << draw.leading_zeros()) >> 32;
    let mut log = u64::from(whole);
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> 31;
        let passed = mantissa >> 32;
        mantissa >>= passed;
        log = (log << 1) | passed;
    }
    (u64::from(u64::BITS) << FRACTION_BITS) - log
}

/// Lots are below 2^31, so that nothing is lost above.
fn rank(lot: u64, weight: u64) -> u64 {
    (lot << 32) / weight
}

/// The owners of all partitions, as indices into the hosts they were made of. Fixed in size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerTable {
    rows: Vec<Vec<u16>>,
}

impl Default for OwnerTable {
    fn default() -> Self {
        Self { rows: vec![Vec::new(); usize::from(PARTITIONS)] }
    }
}

impl OwnerTable {
    /// The owners of a partition, first choice first.
    pub(crate) fn owners(&self, partition: u16) -> &[u16] {
        &self.rows[usize::from(partition)]
    }

    /// Fewest owners that a partition has.
    pub(crate) fn fewest(&self) -> usize {
        self.rows.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// Partitions with an owner that `before` did not have.
    pub(crate) fn gained(&self, before: &Self) -> Vec<u16> {
        let gains = |partition: &u16| {
            let old = before.owners(*partition);
            self.owners(*partition).iter().any(|owner| !old.contains(owner))
        };
        (0..PARTITIONS).filter(gains).collect()
    }
}

/// Every device's lots, kept because hosts change their room more often than they come and go.
#[derive(Default)]
pub(crate) struct Lots {
    of: BTreeMap<DeviceId, Vec<u32>>,
}

impl Lots {
    /// The table for these hosts; `name` gives what a host is called in it.
    pub(crate) fn table(&mut self, hosts: &[HostWeight], names: &[u16], target: usize) -> OwnerTable {
        if self.of.len() > LOTS_KEPT_MAX_DEVICES {
            self.of.retain(|device, _| hosts.iter().any(|host| host.device == *device));
        }
        for host in hosts {
            self.of.entry(host.device).or_insert_with(|| all_lots(&host.device));
        }
        let columns: Vec<_> = hosts.iter().map(|host| &self.of[&host.device]).collect();
        let row = |partition: usize| {
            let lots: Vec<_> = columns.iter().map(|column| u64::from(column[partition])).collect();
            choose(hosts, &lots, target).into_iter().map(|index| names[index]).collect()
        };
        OwnerTable { rows: (0..usize::from(PARTITIONS)).map(row).collect() }
    }
}

fn all_lots(device: &DeviceId) -> Vec<u32> {
    let mut reader = draws(device);
    let mut bytes = [0; 8];
    let lots = (0..PARTITIONS).map(|_| {
        reader.fill(&mut bytes);
        u32::try_from(lot(u64::from_le_bytes(bytes))).expect("a lot is below 2^31")
    });
    lots.collect()
}

#[cfg(test)]
mod tests;
