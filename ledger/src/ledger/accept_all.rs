//! Many transactions at once: what shows is worked out once for all of them.
//!
//! ```text
//! a3 b1 a1 a2 ─► sorted by log ─► a1 a2 a3 b1 ─► merged, again and again while any gets in ─► what shows
//! ```

use std::collections::BTreeMap;

use super::{Accepted, Changed, FrontierRow, HeldReason, Ledger, RefusedReason};
use crate::error::LedgerError;
use crate::identity::{DeviceId, DeviceTag};
use crate::stamp::Now;
use crate::transaction::SealedTransaction;

/// What became of many transactions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AcceptedAll {
    /// What shows otherwise than before.
    pub changed: Changed,
    /// How many are in the tree now, those that waited for them included.
    pub applied: u32,
    /// How many outlines are newer than those known.
    pub outlines: u32,
    /// How many were known.
    pub duplicate: u32,
    /// How many of those given wait, by reason.
    pub held: Vec<(HeldReason, u32)>,
    /// Those that never get in: device, sequence (zeros for bytes that are no transaction), and why.
    pub refused: Vec<(DeviceId, u64, RefusedReason)>,
}

pub(crate) type Waiting<'a> = Vec<(Name, &'a [u8], Option<HeldReason>)>;
pub(crate) type Name = (DeviceId, u64);

impl Ledger {
    /// Takes in transactions as they came from a peer, in whatever order. Any bytes are safe to give.
    ///
    /// # Errors
    /// The store failed, now or before.
    pub fn accept_all(&mut self, now: Now, sealed: &[impl AsRef<[u8]>]) -> Result<AcceptedAll, LedgerError> {
        self.begin(now)?;
        let mut all = AcceptedAll::default();
        let waiting = all.take_in(sealed, &mut |bytes| self.accept_one(now, bytes))?;
        if all.applied > 0 {
            all.applied += self.accept_waiting(now)?;
        }
        self.retire_due(now)?;
        all.changed = self.derive_accepted()?;
        all.count_held(&waiting, &self.frontier);
        Ok(all)
    }
}

impl AcceptedAll {
    /// Offers each to `accept`, by logs, and those that wait again while any gets in. Answers those that still wait.
    pub(crate) fn take_in<'a>(
        &mut self,
        sealed: &'a [impl AsRef<[u8]>],
        accept: &mut dyn FnMut(&[u8]) -> Result<Accepted, LedgerError>,
    ) -> Result<Waiting<'a>, LedgerError> {
        let each = sealed.iter().map(AsRef::as_ref);
        let mut waiting: Waiting<'_> = each.map(|bytes| (name_of(bytes), bytes, None)).collect();
        waiting.sort_by_key(|(name, ..)| *name);
        loop {
            let before = self.applied;
            waiting = self.offer(waiting, accept)?;
            // One that got in may vouch for the device, or bring the key, that others wait for.
            if self.applied == before || waiting.is_empty() {
                return Ok(waiting);
            }
        }
    }

    fn offer<'a>(
        &mut self,
        given: Waiting<'a>,
        accept: &mut dyn FnMut(&[u8]) -> Result<Accepted, LedgerError>,
    ) -> Result<Waiting<'a>, LedgerError> {
        let mut waiting = Vec::new();
        for (name, bytes, _) in given {
            match accept(bytes)? {
                Accepted::Applied(_) => self.applied += 1,
                Accepted::Duplicate => self.duplicate += 1,
                Accepted::Held(reason) => waiting.push((name, bytes, Some(reason))),
                Accepted::Refused(reason) => self.refused.push((name.0, name.1, reason)),
            }
        }
        Ok(waiting)
    }

    pub(crate) fn count_held(&mut self, waiting: &Waiting<'_>, frontier: &BTreeMap<DeviceTag, FrontierRow>) {
        let mut counts = BTreeMap::new();
        for ((device, sequence), _, reason) in waiting {
            let known = frontier.get(&device.tag()).is_some_and(|row| row.sequence >= *sequence);
            if let Some(reason) = reason.filter(|_| !known) {
                *counts.entry(reason).or_insert(0) += 1;
            }
        }
        self.held = counts.into_iter().collect();
    }
}

fn name_of(bytes: &[u8]) -> Name {
    let parsed = SealedTransaction::parse(bytes).map(|sealed| *sealed.header());
    parsed.map_or((DeviceId::from_bytes([0; 32]), 0), |header| (header.device, header.sequence))
}
