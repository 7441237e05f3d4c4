//! All files and folders of the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use fuser::Errno;

use super::Cut;
use super::file::File;
use super::folder::Folder;
use crate::Dice;

/// The root's inode number.
const ROOT: u64 = 1;

pub(super) struct Platter {
    nodes: BTreeMap<u64, Node>,
    next: u64,
}

pub(super) struct Node {
    pub(super) mode: u16,
    /// How often it is open.
    pub(super) opens: u64,
    pub(super) kind: NodeKind,
}

pub(super) enum NodeKind {
    File(File),
    Folder(Folder),
}

/// How likely what was not synced is there after a cut, percent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Odds(u64);

impl Odds {
    pub(super) fn keep(self, dice: &mut Dice) -> bool {
        dice.percent(self.0)
    }
}

impl Default for Platter {
    fn default() -> Self {
        let root = Node { mode: 0o755, opens: 0, kind: NodeKind::Folder(Folder::default()) };
        Self { nodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1 }
    }
}

impl Platter {
    pub(super) fn node(&mut self, ino: u64) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&ino).ok_or(Errno::ESTALE)
    }

    pub(super) fn file(&mut self, ino: u64) -> Result<&mut File, Errno> {
        match &mut self.node(ino)?.kind {
            NodeKind::File(file) => Ok(file),
            NodeKind::Folder(_) => Err(Errno::EISDIR),
        }
    }

    pub(super) fn folder(&mut self, ino: u64) -> Result<&mut Folder, Errno> {
        match &mut self.node(ino)?.kind {
            NodeKind::Folder(folder) => Ok(folder),
            NodeKind::File(_) => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn lookup(&mut self, parent: u64, name: &OsStr) -> Result<u64, Errno> {
        self.folder(parent)?.get(name).ok_or(Errno::ENOENT)
    }

    pub(super) fn make(
        &mut self,
        parent: u64,
        name: &OsStr,
        mode: u16,
        kind: NodeKind,
    ) -> Result<u64, Errno> {
        let ino = self.next;
        let folder = self.folder(parent)?;
        if folder.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        folder.set(name, ino);
        self.next += 1;
        self.nodes.insert(ino, Node { mode, opens: 0, kind });
        Ok(ino)
    }

    pub(super) fn link(&mut self, ino: u64, parent: u64, name: &OsStr) -> Result<(), Errno> {
        self.file(ino)?;
        let folder = self.folder(parent)?;
        if folder.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        folder.set(name, ino);
        Ok(())
    }

    pub(super) fn unlink(&mut self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        self.lookup(parent, name)?;
        self.folder(parent)?.remove(name);
        Ok(())
    }

    pub(super) fn rmdir(&mut self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        let ino = self.lookup(parent, name)?;
        if !self.folder(ino)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.unlink(parent, name)
    }

    /// Inside one folder; the drive moves nothing between folders of its data.
    pub(super) fn rename(&mut self, parent: u64, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        let ino = self.lookup(parent, from)?;
        self.folder(parent)?.rename(from, to, ino);
        Ok(())
    }

    pub(super) fn links(&self, ino: u64) -> u32 {
        let folders = self.nodes.values().filter_map(|node| match &node.kind {
            NodeKind::Folder(folder) => Some(folder),
            NodeKind::File(_) => None,
        });
        let names = folders.flat_map(Folder::names).filter(|(_, named)| *named == ino);
        u32::try_from(names.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn sync_folder(&mut self, ino: u64) -> Result<(), Errno> {
        self.folder(ino)?.sync();
        self.forget_unnamed();
        Ok(())
    }

    pub(super) fn cut(&mut self, dice: &mut Dice) -> Cut {
        // Mostly a mixture; sometimes all of it, sometimes none.
        let odds = Odds([0, 10, 50, 50, 90, 100][dice.below(6) as usize]);
        let mut cut = Cut::default();
        for node in self.nodes.values_mut() {
            node.opens = 0;
            match &mut node.kind {
                NodeKind::File(file) => file.cut(odds, dice, &mut cut),
                NodeKind::Folder(folder) => folder.cut(odds, dice, &mut cut),
            }
        }
        self.forget_unnamed();
        cut
    }

    fn forget_unnamed(&mut self) {
        let mut named = BTreeSet::from([ROOT]);
        for node in self.nodes.values() {
            if let NodeKind::Folder(folder) = &node.kind {
                named.extend(folder.named());
            }
        }
        self.nodes.retain(|ino, node| node.opens > 0 || named.contains(ino));
    }
}
