//! Many transactions at once: what shows is worked out once for all of them.
//!
//! ```text
//! a3 b1 a1 a2 ─► sorted by log ─► a1 a2 a3 b1 ─► merged, again and again while any gets in ─► what shows
//! ```

use std::collections::BTreeMap;

use super::{Accepted, Changed, HeldReason, Ledger, RefusedReason};
use crate::error::LedgerError;
use crate::identity::DeviceId;
use crate::stamp::Now;
use crate::transaction::SealedTransaction;

/// What became of many transactions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AcceptedAll {
    /// What shows otherwise than before.
    pub changed: Changed,
    /// How many are in the tree now, those that waited for them included.
    pub applied: u32,
    /// How many were known.
    pub duplicate: u32,
    /// How many of those given wait, by reason.
    pub held: Vec<(HeldReason, u32)>,
    /// Those that never get in: device, sequence (zeros for bytes that are no transaction), and why.
    pub refused: Vec<(DeviceId, u64, RefusedReason)>,
}

type Waiting<'a> = Vec<(Name, &'a [u8], Option<HeldReason>)>;
type Name = (DeviceId, u64);

impl Ledger {
    /// Takes in transactions as they came from a peer, in whatever order. Any bytes are safe to give.
    ///
    /// # Errors
    /// The store failed, now or before.
    pub fn accept_all(&mut self, now: Now, sealed: &[impl AsRef<[u8]>]) -> Result<AcceptedAll, LedgerError> {
        self.begin(now)?;
        let mut waiting: Waiting<'_> =
            sealed.iter().map(|bytes| (name_of(bytes.as_ref()), bytes.as_ref(), None)).collect();
        waiting.sort_by_key(|(name, ..)| *name);
        let mut all = AcceptedAll::default();
        loop {
            let before = all.applied;
            waiting = self.accept_each(now, waiting, &mut all)?;
            // One that got in may vouch for the device, or bring the key, that others wait for.
            if all.applied == before || waiting.is_empty() {
                break;
            }
        }
        if all.applied > 0 {
            all.applied += self.accept_waiting(now)?;
        }
        all.changed = self.derive_accepted()?;
        all.held = self.count_held(&waiting);
        Ok(all)
    }

    fn accept_each<'a>(
        &mut self,
        now: Now,
        given: Waiting<'a>,
        all: &mut AcceptedAll,
    ) -> Result<Waiting<'a>, LedgerError> {
        let mut waiting = Vec::new();
        for (name, bytes, _) in given {
            match self.accept_one(now, bytes)? {
                Accepted::Applied(_) => all.applied += 1,
                Accepted::Duplicate => all.duplicate += 1,
                Accepted::Held(reason) => waiting.push((name, bytes, Some(reason))),
                Accepted::Refused(reason) => all.refused.push((name.0, name.1, reason)),
            }
        }
        Ok(waiting)
    }

    fn count_held(&self, waiting: &Waiting<'_>) -> Vec<(HeldReason, u32)> {
        let mut counts = BTreeMap::new();
        for ((device, sequence), _, reason) in waiting {
            let known = self.frontier.get(&device.tag()).is_some_and(|row| row.sequence >= *sequence);
            if let Some(reason) = reason.filter(|_| !known) {
                *counts.entry(reason).or_insert(0) += 1;
            }
        }
        counts.into_iter().collect()
    }
}

fn name_of(bytes: &[u8]) -> Name {
    let parsed = SealedTransaction::parse(bytes).map(|sealed| *sealed.header());
    parsed.map_or((DeviceId::from_bytes([0; 32]), 0), |header| (header.device, header.sequence))
}
