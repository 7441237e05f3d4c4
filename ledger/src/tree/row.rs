//! An inode row: the stamped registers of an inode, which merge, and what is derived from them, which does not.

use std::sync::Arc;

use crate::content::Content;
use crate::node::{EntryId, Ino, InodeId, Kind};
use crate::stamp::{Stamp, Time, VersionId};

/// A value and the stamp of the edit that set it; the greatest stamp wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Register<T> {
    pub(crate) value: T,
    pub(crate) stamp: Stamp,
}

impl<T> Register<T> {
    pub(crate) fn new(value: T, stamp: Stamp) -> Self {
        Self { value, stamp }
    }

    /// Takes the value if its stamp is greater; whether it did.
    pub(crate) fn set(&mut self, value: T, stamp: Stamp) -> bool {
        let newer = stamp > self.stamp;
        if newer {
            *self = Self { value, stamp };
        }
        newer
    }
}

/// What the edit that made an inode said once and for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Born {
    pub(crate) stamp: Stamp,
    pub(crate) kind: Kind,
    pub(crate) rdev: u64,
    pub(crate) target: Vec<u8>,
    pub(crate) time: Time,
}

/// Where a link is: one register, as parent, name and deletion change together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) parent: Ino,
    pub(crate) name: Vec<u8>,
    pub(crate) deleted: bool,
    pub(crate) stamp: Stamp,
    /// For a moved directory: where the move took it from.
    pub(crate) origin: Option<(Ino, Vec<u8>)>,
    /// For a deleted link: the heads its author saw go.
    pub(crate) seen: Vec<VersionId>,
}

/// Derived: where a link's claim stands in the table of children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Shown {
    /// Nowhere.
    #[default]
    No,
    /// Where its register says.
    AsPlaced,
    /// Elsewhere: after a fall-back, or while its register changes.
    At(Ino, Vec<u8>),
}

/// A name of the inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) entry: EntryId,
    pub(crate) place: Place,
    /// Derived: the directory whose supports it was counted in, which is the register's parent while alive.
    pub(crate) counted: Option<Ino>,
    /// Derived.
    pub(crate) shown: Shown,
    /// Derived: 0 stands as placed, 1 fell back to the origin, 2 to the root.
    pub(crate) fallback: u8,
    /// Derived: shown beside its own name because a directory holds that.
    pub(crate) displaced: bool,
}

impl Link {
    pub(crate) fn new(entry: EntryId, place: Place) -> Self {
        Self { entry, place, counted: None, shown: Shown::No, fallback: 0, displaced: false }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.counted.is_some()
    }

    /// Where the claim stands: directory (before aliases) and name.
    pub(crate) fn shown_at(&self) -> Option<(Ino, &[u8])> {
        match &self.shown {
            Shown::No => None,
            Shown::AsPlaced => Some((self.place.parent, &self.place.name)),
            Shown::At(parent, name) => Some((*parent, name)),
        }
    }

    /// Sets the register; what is derived keeps meaning what it meant.
    pub(crate) fn replace(&mut self, place: Place) {
        if self.shown == Shown::AsPlaced {
            self.shown = Shown::At(self.place.parent, std::mem::take(&mut self.place.name));
        }
        self.place = place;
    }
}

/// The version that opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeadRow {
    pub(crate) id: VersionId,
    pub(crate) parents: Vec<VersionId>,
    pub(crate) size: u64,
    pub(crate) mtime: Time,
    /// `None`: in the versions table, because it is long.
    pub(crate) content: Option<Arc<Content>>,
}

/// Everything kept of an inode in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InodeRow {
    pub(crate) id: InodeId,
    /// `None` while only edits that follow the birth have arrived.
    pub(crate) born: Option<Born>,
    pub(crate) mode: Register<u32>,
    pub(crate) owner: Register<(u32, u32)>,
    pub(crate) mtime: Register<Time>,
    /// Local.
    pub(crate) ctime: Time,
    /// Local.
    pub(crate) atime: Time,
    pub(crate) links: Vec<Link>,
    pub(crate) head: Option<HeadRow>,
    /// Heads that do not open, greatest first; their rows are in the versions table.
    pub(crate) others: Vec<VersionId>,
    /// Derived: the directory this one's entries show in, when several claim one name.
    pub(crate) alias: Option<Ino>,
    /// Derived: living links whose register names this directory.
    pub(crate) supports: u64,
    /// Derived: names shown in this directory.
    pub(crate) entries: u64,
    /// Derived: directories among them.
    pub(crate) subdirs: u64,
    /// Extended attributes that are set.
    pub(crate) xattrs: u32,
    /// Derived: it shares a slot with other claims.
    pub(crate) contested: bool,
    /// Derived: files hidden behind this one under its name.
    pub(crate) shadowed: u32,
    /// Deleted longer ago than history is kept: its content is given up.
    pub(crate) expired: bool,
}

impl InodeRow {
    /// A row of which nothing is known but the name.
    pub(crate) fn unborn(id: InodeId) -> Self {
        Self {
            id,
            born: None,
            mode: Register::default(),
            owner: Register::default(),
            mtime: Register::default(),
            ctime: Time::default(),
            atime: Time::default(),
            links: Vec::new(),
            head: None,
            others: Vec::new(),
            alias: None,
            supports: 0,
            entries: 0,
            subdirs: 0,
            xattrs: 0,
            contested: false,
            shadowed: 0,
            expired: false,
        }
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        self.born.as_ref().map(|born| born.kind)
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.kind() == Some(Kind::Directory)
    }

    /// The link that was made with the inode. It is the only one of a directory that counts.
    pub(crate) fn own_link(&self) -> Option<&Link> {
        self.links.iter().find(|link| link.entry == self.id)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.id == InodeId::ROOT || self.links.iter().any(Link::is_alive)
    }

    pub(crate) fn live_links(&self) -> u32 {
        self.links.iter().filter(|link| link.is_alive()).count() as u32
    }

    /// All heads, the one that opens first.
    pub(crate) fn heads(&self) -> impl Iterator<Item = VersionId> + '_ {
        self.head.iter().map(|head| head.id).chain(self.others.iter().copied())
    }

    /// What decides between files that claim one name: the latest of birth and head.
    pub(crate) fn top_stamp(&self) -> Stamp {
        let born = self.born.as_ref().map(|born| born.stamp).unwrap_or_default();
        self.head.as_ref().map_or(born, |head| head.id.0.max(born))
    }

    pub(crate) fn size(&self) -> u64 {
        match (&self.head, &self.born) {
            (Some(head), _) => head.size,
            (None, Some(born)) => born.target.len() as u64,
            (None, None) => 0,
        }
    }
}
