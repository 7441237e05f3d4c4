//! What devices declared cleaned out of their logs: taken in from others, and given on.
//!
//! ```text
//! bytes ─► of this workspace? ─► of another device that may write, signed? ─► newer than the one known? ─► the frontier passes over
//!            Refused               Refused (of a stranger: comes again)          nothing new                 what comes next of it
//! ```
//!
//! A gap is legal only over what an outline names. It may come after the transactions behind the gap: these wait, as over any gap.

use std::collections::BTreeMap;

use super::{AcceptedAll, FrontierRow, Ledger, OutlineCounters, RefusedReason};
use crate::error::LedgerError;
use crate::identity::{DeviceTag, WorkspaceId};
use crate::outline::{OutlineError, SignedOutline};
use crate::roster::Roster;
use crate::stamp::Now;
use crate::store::Table;

impl Ledger {
    /// Takes in outlines as they came from a peer, and what waited for them. Any bytes are safe to give.
    ///
    /// # Errors
    /// The store failed, now or before.
    pub fn accept_outlines(
        &mut self,
        now: Now,
        outlines: &[impl AsRef<[u8]>],
    ) -> Result<AcceptedAll, LedgerError> {
        self.begin(now)?;
        let mut all = AcceptedAll::default();
        for bytes in outlines {
            let (workspace, own) = (self.keyring.workspace, self.state.own);
            match weigh_outline(bytes.as_ref(), workspace, &self.roster, &self.frontier) {
                Ok(Some(outline)) if outline.device.tag() != own => {
                    self.keep_outline(outline);
                    all.outlines += 1;
                }
                Ok(_) => {}
                Err(error) => {
                    self.refused_transactions += 1;
                    all.refuse_outline(bytes.as_ref(), error);
                }
            }
        }
        if all.outlines > 0 {
            all.applied += self.accept_waiting(now)?;
        }
        self.retire_due(now)?;
        all.changed = self.derive_accepted()?;
        Ok(all)
    }

    /// Keeps an outline, in memory and among the changes.
    pub(super) fn keep_outline(&mut self, outline: SignedOutline) {
        let device = outline.device;
        let row = self.frontier.entry(device.tag()).or_insert_with(|| FrontierRow::new(device));
        let before = row.outline().map(|outline| outline.cleaned.clone()).unwrap_or_default();
        row.take_outline(outline);
        for (key, value) in std::iter::once(row.encode()).chain(row.encode_cleaned()) {
            self.state.layers.put(Table::Meta, key, value);
        }
        self.begin_retiring(device.tag(), before);
    }

    /// The counters of the outlines that are on this device's disk.
    pub fn outline_counters(&self) -> OutlineCounters {
        counters(&self.written)
    }

    /// Outlines of others and the own one that are newer than `theirs`. Only what is on disk is given away.
    pub fn outlines_since(&self, theirs: &OutlineCounters) -> Vec<Vec<u8>> {
        newer_outlines(self.written.values(), theirs)
    }
}

impl AcceptedAll {
    pub(crate) fn refuse_outline(&mut self, bytes: &[u8], error: OutlineError) {
        let device = SignedOutline::decode(bytes).map(|outline| outline.device);
        let device = device.unwrap_or(crate::identity::DeviceId::from_bytes([0; 32]));
        self.refused.push((device, 0, RefusedReason::Outline(error)));
    }
}

/// Whether an outline is to be believed. `None`: it is known, or nobody vouches for its device yet.
pub(crate) fn weigh_outline(
    bytes: &[u8],
    workspace: WorkspaceId,
    roster: &Roster,
    frontier: &BTreeMap<DeviceTag, FrontierRow>,
) -> Result<Option<SignedOutline>, OutlineError> {
    let signed = SignedOutline::decode(bytes)?;
    if signed.workspace != workspace {
        return Err(OutlineError::OtherWorkspace);
    }
    let Some(device) = roster.device_by_id(&signed.device) else { return Ok(None) };
    let known = frontier.get(&signed.device.tag());
    if known.is_some_and(|row| row.outline_counter() >= signed.outline.counter) {
        return Ok(None);
    }
    signed.verify(&device.key)?;
    if !device.may_declare(&signed.hash()) || known.is_some_and(|row| row.device != signed.device) {
        return Err(OutlineError::NotAllowed);
    }
    let before = known.and_then(FrontierRow::outline);
    if before.is_some_and(|before| !signed.outline.cleaned.contains_all(&before.cleaned)) {
        return Err(OutlineError::TakenBack);
    }
    Ok(Some(signed))
}

pub(crate) fn counters(rows: &BTreeMap<DeviceTag, FrontierRow>) -> OutlineCounters {
    let outlines = rows.values().filter_map(|row| row.outline.as_ref());
    outlines.map(|signed| (signed.device, signed.outline.counter)).collect()
}

/// Outlines among `rows` that are newer than `theirs`.
pub(crate) fn newer_outlines<'a>(
    rows: impl Iterator<Item = &'a FrontierRow>,
    theirs: &OutlineCounters,
) -> Vec<Vec<u8>> {
    let outlines = rows.filter_map(|row| row.outline.as_ref());
    let newer = outlines
        .filter(|outline| theirs.get(&outline.device).is_none_or(|known| *known < outline.outline.counter));
    newer.map(|outline| outline.as_bytes().to_vec()).collect()
}
