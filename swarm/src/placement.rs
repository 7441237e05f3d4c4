//! Which hosts keep which partition: weighted rendezvous hashing in integers, since two machines must never disagree.
//!
//! ```text
//!  draw  u = 64 bits of BLAKE3-XOF(device) at the partition's place      each device's lot for each partition
//!  rank  -log2(u / 2^64) / weight                                        smallest first: a share as large as the weight
//!  owners = the first `target` with room, one per site while sites suffice
//! ```

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use chunkstore::PARTITIONS;
use ledger::identity::DeviceId;

const DRAW_CONTEXT: &str = "peerdrive 2026 placement draw v1";
/// Bits after the point of a logarithm.
const FRACTION_BITS: u32 = 24;
/// A weight keeps so many of its leading bits: a contribution that changes a little moves nothing.
const WEIGHT_BITS: u32 = 4;
/// Lots of so many devices are kept though they may not host at the moment: 16 KiB each.
const LOTS_KEPT_MAX_DEVICES: usize = 64;
/// With more hosts that differ from before a table is made anew.
const CHANGED_MAX_HOSTS: usize = 8;
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
    let ranks = lots.iter().zip(hosts).map(|(lot, host)| rank(*lot, host.weight.max(1)));
    choose_among(hosts, ranks.zip(0..).collect(), target)
}

/// The first of these hosts, each with its rank. They may be some of all: who is chosen of all is chosen of any that he is among.
fn choose_among(hosts: &[HostWeight], mut left: Vec<(u64, usize)>, target: usize) -> Vec<usize> {
    left.retain(|(_, index)| is_able(&hosts[*index]));
    let mut chosen: Vec<usize> = Vec::with_capacity(target.min(left.len()));
    // Few are wanted of many: each is looked for, which is less than putting all in order.
    while chosen.len() < target {
        let free = |index: usize| {
            let site = &hosts[index].site;
            site.is_empty() || chosen.iter().all(|other| hosts[*other].site != *site)
        };
        let first = |sites_count: bool| {
            let candidates = left.iter().enumerate().filter(|(_, (_, index))| !sites_count || free(*index));
            candidates.min_by(|(_, one), (_, other)| in_order(hosts, **one, **other)).map(|(at, _)| at)
        };
        let Some(at) = first(true).or_else(|| first(false)) else { break };
        chosen.push(left.swap_remove(at).1);
    }
    chosen
}

/// Whether no two share a site: then they were chosen by rank alone, the last of them last.
fn stand_apart(hosts: &[HostWeight], chosen: &[usize]) -> bool {
    let site = |index: &usize| hosts[*index].site.as_str();
    (1..chosen.len()).all(|at| {
        let one = site(&chosen[at]);
        one.is_empty() || chosen[..at].iter().all(|other| site(other) != one)
    })
}

fn is_able(host: &HostWeight) -> bool {
    !host.full && host.weight > 0
}

fn in_order(hosts: &[HostWeight], one: (u64, usize), other: (u64, usize)) -> Ordering {
    one.0.cmp(&other.0).then_with(|| hosts[one.1].device.cmp(&hosts[other.1].device))
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

/// The owners of all partitions, under the names of their hosts, and what they were made of. Fixed in size, but for the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerTable {
    hosts: Vec<HostWeight>,
    names: Vec<u16>,
    target: usize,
    /// Most owners of a partition.
    width: usize,
    /// `width` places for each partition, of which so many are taken.
    rows: Vec<u16>,
    lengths: Vec<u16>,
}

impl Default for OwnerTable {
    fn default() -> Self {
        Self::empty(&[], &[], 0)
    }
}

impl OwnerTable {
    fn empty(hosts: &[HostWeight], names: &[u16], target: usize) -> Self {
        let (partitions, width) = (usize::from(PARTITIONS), target.min(hosts.len()));
        Self {
            hosts: hosts.to_vec(),
            names: names.to_vec(),
            target,
            width,
            rows: vec![0; partitions * width],
            lengths: vec![0; partitions],
        }
    }

    /// The owners of a partition, first choice first.
    pub(crate) fn owners(&self, partition: u16) -> &[u16] {
        let at = usize::from(partition) * self.width;
        &self.rows[at..at + usize::from(self.lengths[usize::from(partition)])]
    }

    fn set(&mut self, partition: u16, chosen: &[usize]) {
        let (row, at) = (usize::from(partition), usize::from(partition) * self.width);
        for (place, index) in self.rows[at..].iter_mut().zip(chosen) {
            *place = self.names[*index];
        }
        self.lengths[row] = u16::try_from(chosen.len()).expect("a table has at most DEVICES_MAX hosts");
    }

    /// Fewest owners that a partition has.
    pub(crate) fn fewest(&self) -> usize {
        self.lengths.iter().min().map_or(0, |fewest| usize::from(*fewest))
    }

    /// Partitions with an owner that `before` did not have.
    pub(crate) fn gained(&self, before: &Self) -> Vec<u16> {
        let gains = |partition: &u16| {
            let (new, old) = (self.owners(*partition), before.owners(*partition));
            new != old && new.iter().any(|owner| !old.contains(owner))
        };
        (0..PARTITIONS).filter(gains).collect()
    }

    /// Partitions with an owner that is none of these.
    pub(crate) fn owned_beside(&self, slots: &[u16]) -> impl Iterator<Item = u16> {
        (0..PARTITIONS).filter(|partition| self.owners(*partition).iter().any(|owner| !slots.contains(owner)))
    }
}

/// How the hosts of a table differ from those of the one before.
struct Difference {
    /// Places among the new hosts of those that are new, or others than before.
    changed: Vec<usize>,
    /// For each name, the place of its host if that is as before.
    same: Vec<Option<usize>>,
}

impl Difference {
    /// `None` where so much differs that the table is better made anew.
    fn between(table: &OwnerTable, before: &OwnerTable) -> Option<Self> {
        if table.target != before.target || before.hosts.is_empty() {
            return None;
        }
        let known: BTreeMap<_, _> = before.names.iter().zip(&before.hosts).collect();
        let names = table.names.iter().chain(&before.names).max().map_or(0, |last| usize::from(*last) + 1);
        let mut difference = Self { changed: Vec::new(), same: vec![None; names] };
        for (index, (name, host)) in table.names.iter().zip(&table.hosts).enumerate() {
            if known.get(name) == Some(&host) {
                difference.same[usize::from(*name)] = Some(index);
            } else {
                difference.changed.push(index);
            }
        }
        (difference.changed.len() <= CHANGED_MAX_HOSTS).then_some(difference)
    }

    /// Notes where the owners of a partition stand among the new hosts. Whether all of them are as before.
    fn owners(&self, names: &[u16], kept: &mut Vec<usize>) -> bool {
        kept.clear();
        kept.extend(names.iter().filter_map(|name| self.same[usize::from(*name)]));
        kept.len() == names.len()
    }
}

/// Every device's lots, kept because hosts change their room more often than they come and go.
#[derive(Default)]
pub(crate) struct Lots {
    of: BTreeMap<DeviceId, Vec<u32>>,
}

impl Lots {
    /// The table for these hosts; `names` gives what each is called in it, always the same. Where few hosts differ from those of the
    /// table before, only they are looked at, beside the owners of before: whoever is not chosen of all hosts is not chosen of more.
    pub(crate) fn table(
        &mut self,
        hosts: &[HostWeight],
        names: &[u16],
        target: usize,
        before: &OwnerTable,
    ) -> OwnerTable {
        self.learn(hosts);
        let columns: Vec<_> = hosts.iter().map(|host| self.of[&host.device].as_slice()).collect();
        let rank_of = |partition: u16, index: usize| {
            rank(u64::from(columns[index][usize::from(partition)]), hosts[index].weight.max(1))
        };
        let mut table = OwnerTable::empty(hosts, names, target);
        let difference = Difference::between(&table, before);
        let changed: &[usize] = difference.as_ref().map_or(&[], |difference| &difference.changed);
        let rivals: Vec<_> = changed.iter().copied().filter(|index| is_able(&hosts[*index])).collect();
        let mut kept = Vec::with_capacity(target);
        for partition in 0..PARTITIONS {
            let ranked = |index: usize| (rank_of(partition, index), index);
            let are_there =
                difference.as_ref().is_some_and(|known| known.owners(before.owners(partition), &mut kept));
            let among = if are_there {
                // Most changes concern few partitions: who comes after the last owner is not chosen.
                let last = kept.last().filter(|_| kept.len() == target && stand_apart(hosts, &kept));
                let comes_after = |last: usize| {
                    let after =
                        |rival: &usize| in_order(hosts, ranked(last), ranked(*rival)) == Ordering::Less;
                    rivals.iter().all(after)
                };
                if last.is_some_and(|last| comes_after(*last)) {
                    table.set(partition, &kept);
                    continue;
                }
                kept.iter().chain(&rivals).copied().map(ranked).collect()
            } else {
                (0..hosts.len()).map(ranked).collect()
            };
            table.set(partition, &choose_among(hosts, among, target));
        }
        table
    }

    fn learn(&mut self, hosts: &[HostWeight]) {
        if self.of.len() > LOTS_KEPT_MAX_DEVICES.max(hosts.len()) {
            let hosting: BTreeSet<_> = hosts.iter().map(|host| host.device).collect();
            self.of.retain(|device, _| hosting.contains(device));
        }
        for host in hosts {
            self.of.entry(host.device).or_insert_with(|| all_lots(&host.device));
        }
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
