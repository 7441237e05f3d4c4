//! The tree computed the plain way: all edits, in no order, into registers; from these everything anew. What the ledger
//! keeps up to date step by step must equal it.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::{Edit, Spot, Stamped};
use crate::node::{EntryId, InodeId, Kind};
use crate::stamp::{Stamp, Time, VersionId};
use crate::tree::displaced_name;
use crate::{Ledger, ROOT};

#[derive(Clone)]
struct Placed {
    parent: InodeId,
    name: Vec<u8>,
    deleted: bool,
    seen: Vec<VersionId>,
    origin: Option<Spot>,
    stamp: Stamp,
}

#[derive(Default)]
struct Node {
    born: Option<(Stamp, Kind)>,
    mode: (Stamp, u32),
    owner: (Stamp, (u32, u32)),
    mtime: (Stamp, Time),
    xattrs: BTreeMap<Vec<u8>, (Stamp, Option<Vec<u8>>)>,
    links: BTreeMap<EntryId, Placed>,
    versions: BTreeMap<VersionId, (Vec<VersionId>, u64)>,
}

impl Node {
    fn kind(&self) -> Option<Kind> {
        self.born.map(|(_, kind)| kind)
    }

    fn is_dir(&self) -> bool {
        self.kind() == Some(Kind::Directory)
    }

    fn heads(&self) -> Vec<VersionId> {
        let replaced: BTreeSet<_> = self.versions.values().flat_map(|(parents, _)| parents).collect();
        self.versions.keys().rev().filter(|id| !replaced.contains(id)).copied().collect()
    }

    fn top(&self) -> Stamp {
        let born = self.born.map(|(stamp, _)| stamp).unwrap_or_default();
        self.heads().first().map_or(born, |head| head.0.max(born))
    }
}

/// All edits, as one tree.
#[derive(Default)]
pub(super) struct Model {
    nodes: BTreeMap<InodeId, Node>,
    alive: BTreeSet<(InodeId, EntryId)>,
    fallbacks: BTreeMap<InodeId, u8>,
}

fn set<T>(register: &mut (Stamp, T), value: T, stamp: Stamp) {
    if stamp > register.0 {
        *register = (stamp, value);
    }
}

impl Model {
    pub(super) fn of(edits: &[Stamped]) -> Self {
        let mut model = Self::default();
        let root = model.nodes.entry(InodeId::ROOT).or_default();
        root.born = Some((Stamp::default(), Kind::Directory));
        root.mode.1 = 0o755;
        edits.iter().for_each(|edit| model.take(edit.clone()));
        model.find_alive();
        model.break_loops();
        model
    }

    fn enter(&mut self, dir: InodeId, stamp: Stamp, time: Time) {
        set(&mut self.nodes.entry(dir).or_default().mtime, time, stamp);
    }

    fn place(&mut self, inode: InodeId, entry: EntryId, placed: Placed) {
        if inode == InodeId::ROOT {
            return;
        }
        let links = &mut self.nodes.entry(inode).or_default().links;
        if links.get(&entry).is_none_or(|old| old.stamp < placed.stamp) {
            links.insert(entry, placed);
        }
    }

    fn take(&mut self, Stamped { stamp, edit }: Stamped) {
        let placed = |at: Spot| Placed {
            parent: at.parent,
            name: at.name,
            deleted: false,
            seen: Vec::new(),
            origin: None,
            stamp,
        };
        match edit {
            Edit::Create { number, at, kind, mode, uid, gid, time, .. } => {
                let id = InodeId { device: stamp.device, number };
                self.enter(at.parent, stamp, time);
                let node = self.nodes.entry(id).or_default();
                if node.born.is_some() {
                    // Its author said so twice; the first counts.
                    return;
                }
                node.born = Some((stamp, kind));
                set(&mut node.mode, mode, stamp);
                set(&mut node.owner, (uid, gid), stamp);
                set(&mut node.mtime, time, stamp);
                self.place(id, id, placed(at));
            }
            Edit::Link { number, inode, at, time } => {
                self.enter(at.parent, stamp, time);
                self.place(inode, InodeId { device: stamp.device, number }, placed(at));
            }
            Edit::Move { entry, inode, from, to, time } => {
                self.enter(from.parent, stamp, time);
                self.enter(to.parent, stamp, time);
                self.place(inode, entry, Placed { origin: Some(from), ..placed(to) });
            }
            Edit::Delete { entry, inode, at, seen, time } => {
                self.enter(at.parent, stamp, time);
                self.place(inode, entry, Placed { deleted: true, seen, ..placed(at) });
            }
            Edit::Attributes { inode, mode, owner, mtime } => {
                let node = self.nodes.entry(inode).or_default();
                mode.into_iter().for_each(|mode| set(&mut node.mode, mode, stamp));
                owner.into_iter().for_each(|owner| set(&mut node.owner, owner, stamp));
                mtime.into_iter().for_each(|mtime| set(&mut node.mtime, mtime, stamp));
            }
            Edit::Xattr { inode, name, value } => {
                let xattrs = &mut self.nodes.entry(inode).or_default().xattrs;
                set(xattrs.entry(name).or_default(), value, stamp);
            }
            Edit::Publish { inode, .. } if inode == InodeId::ROOT => {}
            Edit::Publish { inode, parents, size, mtime, .. } => {
                let node = self.nodes.entry(inode).or_default();
                set(&mut node.mtime, mtime, stamp);
                node.versions.insert(VersionId(stamp), (parents, size));
            }
            // Versions are all here, with what they replaced.
            Edit::Passed { .. } | Edit::Roster(_) => {}
        }
    }

    fn find_alive(&mut self) {
        for (id, node) in &self.nodes {
            let standing: Vec<_> = node.links.iter().filter(|(_, placed)| !placed.deleted).collect();
            match node.kind() {
                None => {}
                Some(Kind::Directory) => {
                    self.alive
                        .extend(standing.iter().filter(|(entry, _)| *entry == id).map(|(e, _)| (*id, **e)));
                }
                Some(_) if !standing.is_empty() => {
                    self.alive.extend(standing.iter().map(|(e, _)| (*id, **e)));
                }
                Some(_) => {
                    let seen: BTreeSet<_> = node.links.values().flat_map(|placed| &placed.seen).collect();
                    if node.heads().iter().any(|head| !seen.contains(head)) {
                        let last = node.links.iter().max_by_key(|(entry, placed)| (placed.stamp, **entry));
                        self.alive.extend(last.map(|(entry, _)| (*id, *entry)));
                    }
                }
            }
        }
        loop {
            let wanted: BTreeSet<InodeId> =
                self.alive.iter().map(|(id, entry)| self.nodes[id].links[entry].parent).collect();
            let before = self.alive.len();
            for id in wanted {
                let dir = self.nodes.get(&id).filter(|node| node.is_dir() && node.links.contains_key(&id));
                if dir.is_some() {
                    self.alive.insert((id, id));
                }
            }
            if self.alive.len() == before {
                break;
            }
        }
    }

    fn is_living_dir(&self, id: InodeId) -> bool {
        id == InodeId::ROOT
            || (self.nodes.get(&id).is_some_and(Node::is_dir) && self.alive.contains(&(id, id)))
    }

    // Directory (before merging) and name where a living link stands.
    fn standing(&self, id: InodeId, entry: EntryId) -> (InodeId, Vec<u8>) {
        let placed = &self.nodes[&id].links[&entry];
        match (self.fallbacks.get(&id), &placed.origin) {
            (None | Some(0), _) => (placed.parent, placed.name.clone()),
            (Some(1), Some(origin)) => (origin.parent, origin.name.clone()),
            _ => (InodeId::ROOT, placed.name.clone()),
        }
    }

    fn break_loops(&mut self) {
        while let Some(looped) = self.find_loop() {
            let last = looped.into_iter().max_by_key(|id| (self.nodes[id].links[id].stamp, *id)).unwrap();
            let origin = self.nodes[&last].links[&last].origin.as_ref().map(|origin| origin.parent);
            let first = !self.fallbacks.contains_key(&last);
            let next = if first && origin.is_some_and(|parent| self.is_living_dir(parent)) { 1 } else { 2 };
            self.fallbacks.insert(last, next);
        }
    }

    fn find_loop(&self) -> Option<Vec<InodeId>> {
        for (start, node) in &self.nodes {
            if !node.is_dir() || !self.alive.contains(&(*start, *start)) {
                continue;
            }
            let (mut path, mut at) = (Vec::new(), *start);
            while at != InodeId::ROOT && self.alive.contains(&(at, at)) && self.nodes[&at].is_dir() {
                if let Some(begin) = path.iter().position(|id| *id == at) {
                    return Some(path.split_off(begin));
                }
                path.push(at);
                at = self.standing(at, at).0;
            }
        }
        None
    }

    /// The whole tree, one line for each claim of each name.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.describe("/", InodeId::ROOT)];
        self.show("", &[InodeId::ROOT], &mut lines);
        lines.sort();
        lines
    }

    fn show(&self, path: &str, class: &[InodeId], lines: &mut Vec<String>) {
        let mut slots: BTreeMap<Vec<u8>, Vec<(InodeId, EntryId, bool)>> = BTreeMap::new();
        for (id, entry) in &self.alive {
            let (parent, name) = self.standing(*id, *entry);
            if class.contains(&parent) {
                slots.entry(name).or_default().push((*id, *entry, false));
            }
        }
        for (name, claims) in slots.clone() {
            if claims.iter().any(|(id, ..)| self.nodes[id].is_dir()) {
                for (id, entry, _) in claims.into_iter().filter(|(id, ..)| !self.nodes[id].is_dir()) {
                    slots.entry(displaced_name(&name, entry)).or_default().push((id, entry, true));
                }
            }
        }
        for (name, mut claims) in slots {
            let key = |(id, entry, displaced): &(InodeId, EntryId, bool)| {
                let node = &self.nodes[id];
                let latest = if node.is_dir() { None } else { Some(node.top()) };
                (!node.is_dir(), std::cmp::Reverse(latest), *entry, *displaced)
            };
            claims.sort_by_key(key);
            let path = format!("{path}/{}", String::from_utf8_lossy(&name));
            for (rank, (id, ..)) in claims.iter().enumerate() {
                lines.push(format!("{rank} {}", self.describe(&path, *id)));
            }
            let dirs: Vec<_> =
                claims.iter().map(|(id, ..)| *id).filter(|id| self.nodes[id].is_dir()).collect();
            if !dirs.is_empty() {
                self.show(&path, &dirs, lines);
            }
        }
    }

    fn describe(&self, path: &str, id: InodeId) -> String {
        let node = &self.nodes[&id];
        let links = self.alive.iter().filter(|(of, _)| *of == id).count();
        let heads = node.heads();
        let xattrs: Vec<_> =
            node.xattrs.iter().filter_map(|(name, (_, value))| Some((name, value.as_ref()?))).collect();
        format!(
            "{path} {id:?} {:?} {:o} {:?} {:?} {links} {heads:?} {xattrs:?}",
            node.kind().unwrap(),
            node.mode.1,
            node.owner.1,
            node.mtime.1
        )
    }
}

/// The same lines from what a ledger keeps.
pub(super) fn lines_of(ledger: &Ledger) -> Vec<String> {
    let mut lines = vec![describe(ledger, "/", ROOT)];
    let mut open = vec![(String::new(), ROOT)];
    while let Some((path, dir)) = open.pop() {
        let mut entries = Vec::new();
        ledger.list(dir, 0, usize::MAX, &mut entries).unwrap();
        for entry in entries {
            let path = format!("{path}/{}", String::from_utf8_lossy(&entry.name));
            for (rank, claim) in ledger.claims_for_test(dir, &entry.name).into_iter().enumerate() {
                lines.push(format!("{rank} {}", describe(ledger, &path, claim)));
            }
            if entry.kind == Kind::Directory {
                open.push((path, entry.ino));
            }
        }
    }
    lines.sort();
    lines
}

fn describe(ledger: &Ledger, path: &str, ino: u64) -> String {
    let row = ledger.row_for_test(ino);
    let heads: Vec<_> = row.heads().collect();
    let mut xattrs = Vec::new();
    for name in ledger.xattrs(ino).unwrap() {
        let value = ledger.xattr(ino, &name).unwrap().unwrap();
        xattrs.push((name, value));
    }
    let links = if ino == ROOT { 0 } else { row.live_links() };
    format!(
        "{path} {:?} {:?} {:o} {:?} {:?} {links} {heads:?} {xattrs:?}",
        row.id,
        row.kind().unwrap(),
        row.mode.value,
        row.owner.value,
        row.mtime.value
    )
}
