//! Edits: what the logs are made of. Each sets registers; none depends on another having arrived.

mod list;

pub use list::decode_edits;
pub(crate) use list::{CARRIERS_MAX, EDITS_IN_TRANSACTION, decode_list, encode_again, encode_list};

use crate::content::Content;
use crate::node::{EntryId, InodeId, Kind};
use crate::stamp::{Stamp, Time, VersionId};

/// A directory and a name in it, as all devices name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) parent: InodeId,
    pub(crate) name: Vec<u8>,
}

/// One change to the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// A new inode with its first link, numbered by the author.
    Create {
        number: u64,
        at: Spot,
        kind: Kind,
        mode: u32,
        uid: u32,
        gid: u32,
        rdev: u64,
        target: Vec<u8>,
        time: Time,
    },
    /// One more link, numbered by the author.
    Link { number: u64, inode: InodeId, at: Spot, time: Time },
    /// A link elsewhere; also what brings a deleted one back.
    Move { entry: EntryId, inode: InodeId, from: Spot, to: Spot, time: Time },
    /// A link gone, with the heads its author saw go.
    Delete { entry: EntryId, inode: InodeId, at: Spot, seen: Vec<VersionId>, time: Time },
    /// Attributes set.
    Attributes { inode: InodeId, mode: Option<u32>, owner: Option<(u32, u32)>, mtime: Option<Time> },
    /// An extended attribute set or removed.
    Xattr { inode: InodeId, name: Vec<u8>, value: Option<Vec<u8>> },
    /// New content.
    Publish { inode: InodeId, parents: Vec<VersionId>, size: u64, mtime: Time, content: Content },
    /// A version that nobody keeps any more, with the stamp it had: what it replaced stays replaced.
    Passed { inode: InodeId, replaced: Vec<VersionId> },
    /// A record for the roster, in its own bytes.
    Roster(Vec<u8>),
}

impl Edit {
    /// Rough size of its bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Create { at, target, .. } => 40 + at.name.len() + target.len(),
            Self::Link { at, .. } => 32 + at.name.len(),
            Self::Move { from, to, .. } => 48 + from.name.len() + to.name.len(),
            Self::Delete { at, seen, .. } => 40 + at.name.len() + seen.len() * 12,
            Self::Attributes { .. } => 40,
            Self::Xattr { name, value, .. } => 24 + name.len() + value.as_ref().map_or(0, Vec::len),
            Self::Publish { parents, content, .. } => 40 + parents.len() * 12 + content.weight(),
            Self::Passed { replaced, .. } => 8 + replaced.len() * 12,
            Self::Roster(bytes) => 8 + bytes.len(),
        }
    }
}

/// An edit and when, by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamped {
    pub(crate) stamp: Stamp,
    pub(crate) edit: Edit,
}

/// What a transaction holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum List {
    /// Edits that were just made: their stamps rise from those of the transaction before.
    Made(Vec<Stamped>),
    /// Edits that were made long ago, out of transactions that their device no longer keeps.
    Again(Again),
}

/// Edits that are issued once more, as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Again {
    /// The clock of the author's log at this place: no edit is later.
    pub(crate) clock: u64,
    /// By the transactions they were in; stamps rise through all of them.
    pub(crate) groups: Vec<Group>,
}

/// Edits out of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// The transaction they were made in, then those that carried them since: who took in any of these has them.
    pub(crate) carriers: Vec<u64>,
    /// At least one.
    pub(crate) edits: Vec<Stamped>,
}

impl List {
    /// All edits, as their stamps rise.
    pub(crate) fn edits(&self) -> impl Iterator<Item = &Stamped> {
        let (made, groups) = match self {
            Self::Made(edits) => (edits.as_slice(), [].as_slice()),
            Self::Again(again) => ([].as_slice(), again.groups.as_slice()),
        };
        made.iter().chain(groups.iter().flat_map(|group| &group.edits))
    }

    /// Where the author's clock stood; 0 when it holds nothing.
    pub(crate) fn clock(&self) -> u64 {
        match self {
            Self::Made(edits) => edits.last().map_or(0, |edit| edit.stamp.clock),
            Self::Again(again) => again.clock,
        }
    }
}
