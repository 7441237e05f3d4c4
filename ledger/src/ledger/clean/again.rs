//! What lives of transactions that are mostly dead, issued once more: the same edits with the same stamps, in a new transaction.

use super::Fate;
use crate::edit::{Again, CARRIERS_MAX, EDITS_IN_TRANSACTION, Edit, Group, List, Stamped, encode_again};
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::transaction::MAX_EDITS_BYTES;

/// Edits that one pass issues again, bytes about. What is over waits for the next pass.
const MOVING_MAX_BYTES: usize = 8 << 20;
/// A transaction is mostly dead when at least so many of its four quarters are, by bytes.
const DEAD_QUARTERS: usize = 3;

/// Edits that a pass issues again.
#[derive(Default)]
pub(super) struct Moving {
    groups: Vec<Group>,
    bytes: usize,
}

impl Moving {
    /// Takes what stays of a transaction, if that is little or `anyway`, and there is room. Whether it did.
    pub(super) fn take(&mut self, sequence: u64, list: &List, fates: &[Fate], anyway: bool) -> bool {
        // Who is new reads the members of the workspace out of the first transactions: these stay where they are.
        let movable = list.edits().all(|stamped| !matches!(stamped.edit, Edit::Roster(_)));
        if !movable || !has_room_for_a_carrier(list) {
            return false;
        }
        let groups = staying_groups(sequence, list, fates);
        let all: usize = list.edits().map(|stamped| stamped.edit.weight()).sum();
        let staying: usize = groups.iter().map(weight).sum();
        let mostly_dead = staying * 4 <= all * (4 - DEAD_QUARTERS);
        let nothing_lives = staying < all && !fates.contains(&Fate::Stays);
        if !(mostly_dead || nothing_lives || anyway) || self.bytes + staying > MOVING_MAX_BYTES {
            return false;
        }
        self.bytes += staying;
        self.groups.extend(groups);
        true
    }

    /// What was taken, in transactions as long as they may be. Stamps rise in each, not from one to the next.
    pub(super) fn into_lists(mut self, clock: u64) -> Vec<Again> {
        // Those that were carried before are older than what stands around their carrier.
        self.groups.sort_by_key(|group| group.edits.first().map(|first| first.stamp));
        let mut lists: Vec<Again> = Vec::new();
        let (mut edits, mut bytes) = (0, 0);
        for group in self.groups {
            edits += group.edits.len();
            bytes += weight(&group);
            match lists.last_mut() {
                Some(list) if edits <= EDITS_IN_TRANSACTION && bytes <= MAX_EDITS_BYTES / 2 => {
                    list.groups.push(group);
                }
                _ => {
                    (edits, bytes) = (group.edits.len(), weight(&group));
                    lists.push(Again { clock, groups: vec![group] });
                }
            }
        }
        lists
    }
}

fn has_room_for_a_carrier(list: &List) -> bool {
    match list {
        List::Made(_) => true,
        List::Again(again) => again.groups.iter().all(|group| group.carriers.len() < CARRIERS_MAX),
    }
}

fn weight(group: &Group) -> usize {
    group.carriers.len() * 3 + group.edits.iter().map(|stamped| stamped.edit.weight()).sum::<usize>()
}

fn staying_groups(sequence: u64, list: &List, fates: &[Fate]) -> Vec<Group> {
    let mut fates = fates.iter();
    let mut staying = |edits: &[Stamped]| -> Vec<Stamped> {
        edits.iter().zip(fates.by_ref()).filter_map(|(stamped, fate)| what_stays(stamped, *fate)).collect()
    };
    let groups = match list {
        List::Made(edits) => vec![Group { carriers: vec![sequence], edits: staying(edits) }],
        List::Again(again) => {
            let carried = |group: &Group| Group {
                carriers: group.carriers.iter().copied().chain([sequence]).collect(),
                edits: staying(&group.edits),
            };
            again.groups.iter().map(carried).collect()
        }
    };
    groups.into_iter().filter(|group| !group.edits.is_empty()).collect()
}

fn what_stays(stamped: &Stamped, fate: Fate) -> Option<Stamped> {
    let edit = match (fate, &stamped.edit) {
        (Fate::Goes, _) => return None,
        (Fate::Passes, Edit::Publish { inode, parents, .. }) => {
            Edit::Passed { inode: *inode, replaced: parents.clone() }
        }
        (_, edit) => edit.clone(),
    };
    Some(Stamped { stamp: stamped.stamp, edit })
}

impl Ledger {
    /// Makes them the next transaction of the own log. Answers its sequence number.
    pub(super) fn seal_again(&mut self, again: &Again) -> Result<u64, LedgerError> {
        self.seal_one(&encode_again(again, self.state.own), again.clock)
    }
}
