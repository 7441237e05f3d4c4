//! How far each device's log is known, and what of it was cleaned: rows of `meta`, for a ledger and for sealed logs alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::LedgerError;
use crate::identity::{DeviceId, DeviceTag};
use crate::outline::{Outline, SignedOutline};
use crate::ranges::Ranges;
use crate::roster::Roster;
use crate::store::{StoreError, Table};
use crate::transaction::TransactionHeader;
use crate::tree::prefix_end;
use crate::wire::{Reader, WireError, Writer};

const FRONTIER_PREFIX: &[u8] = b"frontier/";
const FRONTIER_FORMAT: u8 = 1;
const OUTLINE_PREFIX: &[u8] = b"outline/";
const UNSEEN_PREFIX: &[u8] = b"unseen/";
const UNSEEN_FORMAT: u8 = 1;
/// Most ranges that are read back; there are never more than an outline has, as each was passed over because of one.
const UNSEEN_MAX_RANGES: usize = 1 << 20;
/// The hash of a transaction that was passed over.
const NOT_KNOWN: [u8; 32] = [0; 32];

/// Per device, the sequence number up to which its log is known without a gap that its device did not declare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier(pub BTreeMap<DeviceId, u64>);

impl Frontier {
    /// What is here of each log and counts. What of a removed device's log does not count nobody would take.
    pub(crate) fn of(rows: &BTreeMap<DeviceTag, FrontierRow>, roster: &Roster) -> Self {
        let counts =
            rows.iter().map(|(tag, row)| (row.device, row.sequence.min(roster.applied_through(*tag))));
        // Of some devices only the outline is known yet.
        Self(counts.filter(|(_, sequence)| *sequence > 0).collect())
    }
}

/// Per device, the counter of the newest outline of its log: see [`crate::Ledger::outlines_since`].
pub type OutlineCounters = BTreeMap<DeviceId, u64>;

/// How far one device's log is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrontierRow {
    pub(crate) device: DeviceId,
    /// Of the last transaction.
    pub(crate) sequence: u64,
    pub(crate) hash: [u8; 32],
    /// Clock of its last edit; 0 where nobody can read it. Of what was passed over nothing is known.
    pub(crate) clock: u64,
    /// What its device declared cleaned.
    pub(crate) outline: Option<Arc<SignedOutline>>,
    /// What was passed over because of that, and never applied.
    pub(crate) unseen: Arc<Ranges>,
}

/// Where a transaction stands in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    Next,
    /// One before it is missing.
    Gap,
    /// It does not follow the one known before it.
    Fork,
}

impl FrontierRow {
    /// Of a log of which nothing is known.
    pub(crate) fn new(device: DeviceId) -> Self {
        Self { device, sequence: 0, hash: NOT_KNOWN, clock: 0, outline: None, unseen: Arc::default() }
    }

    /// Where a transaction stands behind the `last` one known of its log.
    pub(crate) fn position_after(last: Option<&Self>, header: &TransactionHeader) -> Position {
        let (sequence, hash) = last.map_or((0, NOT_KNOWN), |row| (row.sequence, row.hash));
        let passed_over = sequence > 0 && hash == NOT_KNOWN;
        if header.sequence != sequence + 1 {
            Position::Gap
        } else if header.previous != hash && !passed_over {
            Position::Fork
        } else {
            Position::Next
        }
    }

    /// Goes on to the next transaction, and over what is cleaned behind it. Whether anything was.
    pub(crate) fn advance(&mut self, sequence: u64, hash: [u8; 32], clock: u64) -> bool {
        (self.sequence, self.hash, self.clock) = (sequence, hash, clock.max(self.clock));
        self.pass_over()
    }

    /// Takes a newer outline, and passes over what of it comes next.
    pub(crate) fn take_outline(&mut self, outline: SignedOutline) {
        self.outline = Some(Arc::new(outline));
        self.pass_over();
    }

    fn pass_over(&mut self) -> bool {
        let next = self.sequence + 1;
        let Some((_, last)) = self.outline().and_then(|outline| outline.cleaned.around(next)) else {
            return false;
        };
        Arc::make_mut(&mut self.unseen).insert(next, last);
        (self.sequence, self.hash) = (last, NOT_KNOWN);
        true
    }

    pub(crate) fn outline(&self) -> Option<&Outline> {
        self.outline.as_ref().map(|signed| &signed.outline)
    }

    pub(crate) fn outline_counter(&self) -> u64 {
        self.outline().map_or(0, |outline| outline.counter)
    }

    pub(crate) fn is_cleaned(&self, sequence: u64) -> bool {
        self.outline().is_some_and(|outline| outline.cleaned.contains(sequence))
    }

    /// Whether all is here that was issued again of what is cleaned.
    pub(crate) fn has_all_issued_again(&self) -> bool {
        self.outline().is_none_or(|outline| self.sequence >= outline.through)
    }

    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        self.sequence > other.sequence || self.outline_counter() > other.outline_counter()
    }

    /// Key and value of its row in `meta`.
    pub(crate) fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let mut w = Writer::with_capacity(96);
        w.byte(FRONTIER_FORMAT);
        w.raw(self.device.as_bytes());
        w.unsigned(self.sequence);
        w.raw(&self.hash);
        w.unsigned(self.clock);
        (self.key(FRONTIER_PREFIX), w.out)
    }

    /// The same of what is cleaned and what was passed over: these change rarely, and may be long.
    pub(crate) fn encode_cleaned(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let outline = self.outline.iter();
        let mut rows: Vec<_> =
            outline.map(|outline| (self.key(OUTLINE_PREFIX), outline.as_bytes().to_vec())).collect();
        if !self.unseen.is_empty() {
            let mut w = Writer::default();
            w.byte(UNSEEN_FORMAT);
            self.unseen.write(&mut w);
            rows.push((self.key(UNSEEN_PREFIX), w.out));
        }
        rows
    }

    /// Keys of the rows of [`FrontierRow::encode_cleaned`].
    pub(crate) fn cleaned_keys(&self) -> [Vec<u8>; 2] {
        [self.key(OUTLINE_PREFIX), self.key(UNSEEN_PREFIX)]
    }

    fn key(&self, prefix: &[u8]) -> Vec<u8> {
        [prefix, &self.device.tag().0.to_be_bytes()].concat()
    }
}

/// What a scan of rows is told to do: table, from, to, each row.
type Scan<'a> =
    dyn Fn(Table, &[u8], Option<&[u8]>, &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> + 'a;

/// How far each log goes.
pub(crate) fn read_frontier(scan: &Scan<'_>) -> Result<BTreeMap<DeviceTag, FrontierRow>, LedgerError> {
    let mut frontier = BTreeMap::new();
    for_each_row(scan, FRONTIER_PREFIX, &mut |_, value| {
        let row = read_row(value)?;
        frontier.insert(row.device.tag(), row);
        Ok(())
    })?;
    for_each_row(scan, OUTLINE_PREFIX, &mut |tag, value| {
        let outline = SignedOutline::decode(value).map_err(|_| WireError::Malformed("outline"))?;
        if let Some(row) = frontier.get_mut(&tag) {
            row.outline = Some(Arc::new(outline));
        }
        Ok(())
    })?;
    for_each_row(scan, UNSEEN_PREFIX, &mut |tag, value| {
        let unseen = read_unseen(value)?;
        if let Some(row) = frontier.get_mut(&tag) {
            row.unseen = Arc::new(unseen);
        }
        Ok(())
    })?;
    Ok(frontier)
}

/// What is done with each row: whose, its value.
type TakeRow<'a> = dyn FnMut(DeviceTag, &[u8]) -> Result<(), WireError> + 'a;

fn for_each_row(scan: &Scan<'_>, prefix: &[u8], take: &mut TakeRow<'_>) -> Result<(), LedgerError> {
    let mut bad = None;
    scan(Table::Meta, prefix, prefix_end(prefix).as_deref(), &mut |key, value| {
        let tag = key.last_chunk().copied().map(u64::from_be_bytes).map(DeviceTag);
        bad = tag.ok_or(WireError::Short).and_then(|tag| take(tag, value)).err();
        bad.is_none()
    })?;
    bad.map_or(Ok(()), |error| Err(error.into()))
}

fn read_row(bytes: &[u8]) -> Result<FrontierRow, WireError> {
    let mut r = Reader::new(bytes);
    let found = r.byte()?;
    if found != FRONTIER_FORMAT {
        return Err(WireError::Newer { found, known: FRONTIER_FORMAT });
    }
    let mut row = FrontierRow::new(DeviceId::from_bytes(r.array()?));
    row.sequence = r.unsigned()?;
    row.hash = r.array()?;
    row.clock = r.unsigned()?;
    r.finish()?;
    Ok(row)
}

fn read_unseen(bytes: &[u8]) -> Result<Ranges, WireError> {
    let mut r = Reader::new(bytes);
    let found = r.byte()?;
    if found != UNSEEN_FORMAT {
        return Err(WireError::Newer { found, known: UNSEEN_FORMAT });
    }
    let unseen = Ranges::read(&mut r, UNSEEN_MAX_RANGES)?;
    r.finish()?;
    Ok(unseen)
}
