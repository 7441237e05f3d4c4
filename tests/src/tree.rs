//! Everything a folder holds, to be compared with another folder, or with itself later.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Differences that a failure shows.
const DIFFERENCES_SHOWN: usize = 20;

/// A folder's content: paths inside it, and what they lead to.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree(BTreeMap<PathBuf, Node>);

/// What a path leads to: all that a faithful copy keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `f`ile, `d`irectory, sym`l`ink, fifo `p`, `s`ocket, or `?`.
    pub kind: char,
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    /// Seconds and nanoseconds of the last change of content.
    pub mtime: (i64, i64),
    /// Bytes of a file; 0 of anything else, for file systems differ there.
    pub size: u64,
    /// The first path that leads to the same inode, when several do.
    pub same_as: Option<PathBuf>,
    /// Where a symlink leads.
    pub target: Option<PathBuf>,
    /// Names and values of the `user.` attributes.
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of a file's content.
    pub digest: Option<blake3::Hash>,
}

impl Tree {
    /// Reads it whole.
    ///
    /// # Panics
    /// When something in it cannot be read.
    #[must_use]
    pub fn of(root: &Path) -> Self {
        let mut nodes = BTreeMap::new();
        let mut first_paths = HashMap::new();
        let mut todo = vec![PathBuf::new()];
        while let Some(folder) = todo.pop() {
            let mut names: Vec<_> = fs::read_dir(root.join(&folder))
                .unwrap_or_else(|error| panic!("{}: {error}", root.join(&folder).display()))
                .map(|entry| entry.expect("a readable folder").file_name())
                .collect();
            names.sort();
            for path in names.into_iter().map(|name| folder.join(name)) {
                let node = Node::of(&root.join(&path));
                if node.kind == 'd' {
                    todo.push(path.clone());
                }
                nodes.insert(path, node);
            }
        }
        // In the order of the paths, so that two copies agree on which path is the first.
        for (path, node) in &mut nodes {
            let of_root = fs::symlink_metadata(root.join(path)).expect("it was just there");
            if node.kind != 'd' && of_root.nlink() > 1 {
                let first = first_paths.entry(of_root.ino()).or_insert_with(|| path.clone());
                node.same_as = Some(first.clone());
            }
        }
        Self(nodes)
    }

    /// The paths and what they lead to, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_path(), node))
    }

    /// What a path leads to.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<&Node> {
        self.0.get(path)
    }

    /// How many paths there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Holds it against the original.
    ///
    /// # Panics
    /// When they differ; the text tells where.
    pub fn assert_same(&self, original: &Self, what: &str) {
        let mut differences = Vec::new();
        for (path, node) in &original.0 {
            match self.0.get(path) {
                None => differences.push(format!("{} is missing", path.display())),
                Some(copy) if copy != node => {
                    differences.push(format!("{}:\n  is     {copy:?}\n  should {node:?}", path.display()));
                }
                Some(_) => {}
            }
        }
        let extra = self.0.keys().filter(|path| !original.0.contains_key(*path));
        differences.extend(extra.map(|path| format!("{} is too much", path.display())));
        let count = differences.len();
        differences.truncate(DIFFERENCES_SHOWN);
        assert!(count == 0, "{what}: {count} differences\n{}", differences.join("\n"));
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree of {} paths", self.0.len())
    }
}

impl Node {
    /// Reads one; no symlink is followed.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let found = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let kind = kind(&found);
        Self {
            kind,
            mode: found.mode() & 0o7777,
            mtime: (found.mtime(), found.mtime_nsec()),
            size: if kind == 'f' { found.len() } else { 0 },
            same_as: None,
            target: (kind == 'l').then(|| fs::read_link(path).expect("a readable symlink")),
            attributes: if matches!(kind, 'f' | 'd') { attributes(path) } else { BTreeMap::new() },
            digest: (kind == 'f').then(|| digest(path)),
        }
    }
}

/// The digest of a file's content.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn digest(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    hasher.update_reader(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    hasher.finalize()
}

fn kind(found: &Metadata) -> char {
    let of = found.file_type();
    match () {
        () if of.is_file() => 'f',
        () if of.is_dir() => 'd',
        () if of.is_symlink() => 'l',
        () if of.is_fifo() => 'p',
        () if of.is_socket() => 's',
        () => '?',
    }
}

/// The `user.` attributes of a path.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn attributes(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    const LIST_MAX_BYTES: usize = 64 << 10;
    const VALUE_MAX_BYTES: usize = 64 << 10;
    let mut names = vec![0; LIST_MAX_BYTES];
    let length = rustix::fs::llistxattr(path, names.as_mut_slice()).expect("a list of attributes");
    let names = names[..length].split(|byte| *byte == 0).filter(|name| name.starts_with(b"user."));
    names
        .map(|name| {
            let mut value = vec![0; VALUE_MAX_BYTES];
            let length = rustix::fs::lgetxattr(path, OsStr::from_bytes(name), value.as_mut_slice())
                .expect("an attribute that is listed");
            value.truncate(length);
            (name.to_vec(), value)
        })
        .collect()
}
