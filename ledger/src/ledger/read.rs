//! The tree that shows.

use std::ops::Bound;

use super::Ledger;
use crate::content::Content;
use crate::error::LedgerError;
use crate::merge::{decode_xattr, xattr_key};
use crate::node::{Entry, Head, Ino, Inode, Kind, LocalSpace, ROOT};
use crate::stamp::{Time, VersionId};
use crate::store::{Backing, StoreError, Table};
use crate::tree::{Claim, InodeRow, Link, State, decode_slot, displaced_name, name_of_key, prefix_end};

/// Most steps from an inode up to the root that are taken.
const DEPTH_MAX: usize = 1 << 16;

impl Ledger {
    /// An inode's attributes; of a deleted one too, with `nlink` 0. A directory merged into another shows as that one.
    ///
    /// # Errors
    /// The store failed or a row is damaged.
    pub fn inode(&self, ino: Ino) -> Result<Option<Inode>, LedgerError> {
        let Some(row) = self.state.row(ino)? else { return Ok(None) };
        match row.alias {
            Some(senior) => Ok(self.state.row(senior)?.and_then(|row| view(senior, &row))),
            None => Ok(view(ino, &row)),
        }
    }

    /// When the newest edit was made, by its author's clock; none before the first.
    pub fn latest_edit(&self) -> Option<Time> {
        let clock = self.state.clock.last();
        (clock > 0).then(|| Time::from_millis(clock >> 16))
    }

    /// The clock of the newest edit: it grows with every one, whoever made it.
    pub fn edit_clock(&self) -> u64 {
        self.state.clock.last()
    }

    /// What `name` stands for in `dir`.
    ///
    /// # Errors
    /// As [`Ledger::inode`].
    pub fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Option<Entry>, LedgerError> {
        let mut claims = self.state.slot(dir, name)?;
        if claims.is_empty() {
            let senior = self.state.canonical(dir)?;
            if senior == dir {
                return Ok(None);
            }
            claims = self.state.slot(senior, name)?;
        }
        let entry = |top: &Claim| Entry {
            ino: top.ino,
            kind: top.kind,
            name: name.to_vec(),
            cookie: crate::tree::cookie_of(name),
        };
        Ok(claims.first().map(entry))
    }

    /// Appends up to `limit` entries of `dir` with cookies above `after_cookie` to `out`, in the order of their cookies.
    /// Goes over the limit only to keep together the entries that share a cookie.
    ///
    /// # Errors
    /// As [`Ledger::inode`].
    pub fn list(
        &self,
        dir: Ino,
        after_cookie: u64,
        limit: usize,
        out: &mut Vec<Entry>,
    ) -> Result<(), LedgerError> {
        let dir = self.state.canonical(dir)?;
        let from = [dir.to_be_bytes(), after_cookie.saturating_add(1).to_be_bytes()].concat();
        let end = prefix_end(&dir.to_be_bytes());
        let (first, mut bad) = (out.len(), None);
        self.state.layers.scan(Table::Children, &from, end.as_deref(), &mut |key, value| {
            let Some((cookie, name)) = name_of_key(key) else { return true };
            if out.len() - first >= limit && out.last().is_none_or(|last| last.cookie != cookie) {
                return false;
            }
            match decode_slot(value) {
                Ok(claims) => out.extend(claims.first().map(|top| Entry {
                    ino: top.ino,
                    kind: top.kind,
                    name: name.to_vec(),
                    cookie,
                })),
                Err(error) => bad = Some(error),
            }
            bad.is_none()
        })?;
        bad.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The version that opens, its length and what it is made of; `None` when nothing was ever published.
    ///
    /// # Errors
    /// As [`Ledger::inode`]; `Expired` when the file was deleted longer ago than history is kept.
    pub fn content(&self, ino: Ino) -> Result<Option<(VersionId, u64, Content)>, LedgerError> {
        let Some(row) = self.state.row(ino)? else { return Ok(None) };
        let Some(head) = &row.head else { return Ok(None) };
        Ok(Some((head.id, head.size, self.state.head_content(ino, &row)?)))
    }

    /// Length and content of any version that is still kept.
    ///
    /// # Errors
    /// As [`Ledger::inode`]; `NotFound` for a version never published, `Expired` for one no longer kept.
    pub fn content_of(&self, ino: Ino, version: VersionId) -> Result<(u64, Content), LedgerError> {
        for ino in self.claimants_of(ino)? {
            let row = self.state.known_row(ino)?;
            if let Some(head) = row.head.as_ref().filter(|head| head.id == version) {
                return Ok((head.size, self.state.head_content(ino, &row)?));
            }
            if let Some(body) = self.state.version(ino, version)?.and_then(|row| row.body) {
                if body.is_given_up() {
                    return Err(LedgerError::Expired);
                }
                return Ok((body.size, body.content));
            }
        }
        Err(LedgerError::NotFound)
    }

    /// Directory and name of every living link of `ino`, as they show. A name another file shows under is left out.
    ///
    /// # Errors
    /// As [`Ledger::inode`].
    pub fn parents(&self, ino: Ino) -> Result<Vec<(Ino, Vec<u8>)>, LedgerError> {
        let Some(row) = self.state.row(ino)? else { return Ok(Vec::new()) };
        let mut parents = Vec::with_capacity(row.links.len());
        for link in &row.links {
            parents.extend(self.state.shown_spot(ino, &row, link)?);
        }
        Ok(parents)
    }

    /// The path from the root to `ino`, by its first name that shows; `None` when there is none.
    ///
    /// # Errors
    /// As [`Ledger::inode`].
    pub fn path(&self, ino: Ino) -> Result<Option<Vec<u8>>, LedgerError> {
        let mut names = Vec::new();
        let mut at = self.state.canonical(ino)?;
        while at != ROOT {
            let Some((parent, name)) = self.parents(at)?.into_iter().next() else { return Ok(None) };
            if names.len() == DEPTH_MAX {
                return Ok(None);
            }
            names.push(name);
            at = parent;
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        Ok(Some(if path.is_empty() { b"/".to_vec() } else { path }))
    }

    /// Value of an extended attribute.
    ///
    /// # Errors
    /// As [`Ledger::inode`].
    pub fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        if self.state.row(ino)?.is_none_or(|row| row.xattrs == 0) {
            return Ok(None);
        }
        let row = self.state.layers.get(Table::Xattrs, &xattr_key(ino, name))?;
        Ok(row.map(|row| decode_xattr(&row)).transpose()?.and_then(|(_, value)| value))
    }

    /// Names of the extended attributes.
    ///
    /// # Errors
    /// As [`Ledger::inode`].
    pub fn xattrs(&self, ino: Ino) -> Result<Vec<Vec<u8>>, LedgerError> {
        let mut names = Vec::new();
        if self.state.row(ino)?.is_none_or(|row| row.xattrs == 0) {
            return Ok(names);
        }
        let from = ino.to_be_bytes();
        let mut bad = None;
        self.state.layers.scan(Table::Xattrs, &from, prefix_end(&from).as_deref(), &mut |key, row| {
            match decode_xattr(row) {
                Ok((_, Some(_))) => names.push(key[8..].to_vec()),
                Ok((_, None)) => {}
                Err(error) => bad = Some(error),
            }
            bad.is_none()
        })?;
        bad.map_or(Ok(names), |error| Err(error.into()))
    }

    /// A row of this device's own.
    ///
    /// # Errors
    /// The store failed.
    pub fn local_get(&self, space: LocalSpace, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.state.layers.get(Table::Local, &local_key(space, key))?)
    }

    /// The same in a backing that is not opened as a ledger yet.
    ///
    /// # Errors
    /// The store failed.
    pub fn local_row(
        backing: &dyn Backing,
        space: LocalSpace,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        backing.get(Table::Local, &local_key(space, key))
    }

    /// Calls `f` with this device's own rows of a range in rising order, until it answers `false`.
    ///
    /// # Errors
    /// The store failed.
    pub fn local_scan(
        &self,
        space: LocalSpace,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        f: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), LedgerError> {
        let from = match range.0 {
            Bound::Unbounded => vec![space.0],
            Bound::Included(key) => local_key(space, key),
            Bound::Excluded(key) => after(local_key(space, key)),
        };
        let to = match range.1 {
            Bound::Unbounded => prefix_end(&[space.0]),
            Bound::Excluded(key) => Some(local_key(space, key)),
            Bound::Included(key) => Some(after(local_key(space, key))),
        };
        let strip = &mut |key: &[u8], value: &[u8]| f(&key[1..], value);
        Ok(self.state.layers.scan(Table::Local, &from, to.as_deref(), strip)?)
    }

    /// The inode and those hidden behind it under its names, itself first.
    pub(super) fn claimants_of(&self, ino: Ino) -> Result<Vec<Ino>, LedgerError> {
        let mut inodes = vec![ino];
        let Some(row) = self.state.row(ino)? else { return Err(LedgerError::NotFound) };
        if !row.contested || row.is_dir() {
            return Ok(inodes);
        }
        for (dir, name) in self.parents(ino)? {
            let files =
                self.state.slot(dir, &name)?.into_iter().filter(|claim| claim.kind != Kind::Directory);
            inodes.extend(files.map(|claim| claim.ino).filter(|other| *other != ino));
        }
        inodes[1..].sort_unstable();
        inodes.dedup();
        Ok(inodes)
    }
}

pub(crate) fn local_key(space: LocalSpace, key: &[u8]) -> Vec<u8> {
    [&[space.0], key].concat()
}

fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// What readers see of a row; nothing before its birth arrived.
pub(super) fn view(ino: Ino, row: &InodeRow) -> Option<Inode> {
    let born = row.born.as_ref()?;
    let nlink = match (row.is_alive(), born.kind) {
        (false, _) => 0,
        (true, Kind::Directory) => 2 + row.subdirs as u32,
        (true, _) => row.live_links(),
    };
    Some(Inode {
        ino,
        id: row.id,
        kind: born.kind,
        mode: row.mode.value,
        uid: row.owner.value.0,
        gid: row.owner.value.1,
        rdev: born.rdev,
        target: born.target.clone(),
        size: row.size(),
        mtime: row.mtime.value,
        ctime: row.ctime,
        atime: row.atime,
        crtime: born.time,
        nlink,
        head: row.head.as_ref().map(|head| Head { version: head.id, size: head.size }),
        conflicts: row.others.len() as u32 + row.shadowed,
        entries: row.entries,
    })
}

impl State {
    pub(crate) fn head_content(&self, ino: Ino, row: &InodeRow) -> Result<Content, LedgerError> {
        let head = row.head.as_ref().ok_or(LedgerError::NotFound)?;
        if let Some(content) = &head.content {
            return Ok(content.as_ref().clone());
        }
        let body = self.version(ino, head.id)?.and_then(|version| version.body);
        body.map(|body| body.content).ok_or(LedgerError::Expired)
    }

    /// Directory and name under which a link shows, if it does.
    pub(crate) fn shown_spot(
        &self,
        ino: Ino,
        row: &InodeRow,
        link: &Link,
    ) -> Result<Option<(Ino, Vec<u8>)>, LedgerError> {
        let Some((dir, name)) = link.shown_at() else { return Ok(None) };
        let dir = self.canonical(dir)?;
        let name = if link.displaced { displaced_name(name, link.entry) } else { name.to_vec() };
        if !row.contested || row.is_dir() {
            return Ok(Some((dir, name)));
        }
        let shows = self.slot(dir, &name)?.first().is_some_and(|top| top.ino == ino);
        Ok(shows.then_some((dir, name)))
    }
}
