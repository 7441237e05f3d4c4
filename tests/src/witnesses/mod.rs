//! Writers that log, outside the drive, what was acknowledged to them.
//!
//! Each works in a folder of its own: it appends to a log, replaces a file by rename, makes and removes files, and syncs
//! files and the folder. After a crash every name must lead to a state it had since its last acknowledgement.

mod fate;
mod witness;

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use witness::Witness;

/// Several writers over one drive.
pub struct Witnesses {
    witnesses: Vec<Witness>,
}

/// What was looked at after a crash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Names compared.
    pub names: u64,
    /// Of them, those with something acknowledged since the check before.
    pub acknowledged: u64,
    /// Calls of `fsync` that said success.
    pub syncs: u64,
}

impl Checked {
    fn add(&mut self, other: Self) {
        self.names += other.names;
        self.acknowledged += other.acknowledged;
        self.syncs += other.syncs;
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names, acknowledged, syncs } = self;
        write!(f, "{names} names checked, {acknowledged} of them acknowledged, {syncs} syncs")
    }
}

impl std::iter::Sum for Checked {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let mut sum = Self::default();
        all.for_each(|one| sum.add(one));
        sum
    }
}

impl Witnesses {
    /// So many, each with a folder on the drive.
    ///
    /// # Panics
    /// When the folders cannot be made.
    #[must_use]
    pub fn new(mount: &Path, count: u64, seed: u64) -> Self {
        let witnesses = (0..count).map(|number| Witness::new(mount, number, seed)).collect();
        fs::File::open(mount).and_then(|folder| folder.sync_all()).expect("a folder that can be synced");
        Self { witnesses }
    }

    /// They work, all at once, until `crash` has returned or the drive fails them. Gives each one's error.
    pub fn work(&mut self, crash: impl FnOnce()) -> Vec<Option<io::Error>> {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let stop = &stop;
            let working: Vec<_> = self
                .witnesses
                .iter_mut()
                .map(|witness| scope.spawn(move || witness.work(stop).err()))
                .collect();
            crash();
            stop.store(true, Ordering::Relaxed);
            working.into_iter().map(|working| working.join().expect("a witness does not panic")).collect()
        })
    }

    /// Looks at every name; what is found is what they go on from.
    ///
    /// # Panics
    /// When something acknowledged is not there, or a file holds what it never held. The text says so, with `told`.
    pub fn check(&mut self, told: &str) -> Checked {
        self.witnesses.iter_mut().map(|witness| witness.check(told)).sum()
    }
}
