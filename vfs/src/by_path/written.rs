//! Who wrote what is in the drive now.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use ledger::identity::DeviceTag;

use crate::core::Core;
use crate::{Drive, Error, Ino, Kind};

/// Files with several names that are told apart at most; what comes after them is not counted.
const LINKED_FILES_MAX: usize = 1 << 16;

/// What one device wrote, of what is in the drive now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenByDevice {
    /// The user's id; none where the roster does not know the device.
    pub user: Option<String>,
    /// The user's name, where it is known.
    pub user_name: Option<String>,
    /// The device's name, or what is known in its place.
    pub device: String,
    /// Files whose present version it wrote.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Answer of [`Drive::written`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenTold {
    /// Who wrote most comes first.
    pub devices: Vec<WrittenByDevice>,
    /// Every file was counted; otherwise the numbers are the least.
    pub complete: bool,
}

#[derive(Default)]
struct Counted {
    by: BTreeMap<DeviceTag, (u64, u64)>,
    linked: HashSet<Ino>,
    skipped: bool,
}

impl Drive {
    /// How much of what is in the drive each device wrote last. What is not settled yet is not counted.
    ///
    /// # Errors
    /// [`Error::Io`] when the tree cannot be read.
    pub fn written(&self, patience: Duration) -> Result<WrittenTold, Error> {
        let core = &self.core;
        let mut counted = Counted::default();
        let through = core.each_name(patience, &mut |_, entry| match entry.kind {
            Kind::File => counted.add(core, entry.ino),
            _ => Ok(()),
        })?;
        let mut devices: Vec<WrittenByDevice> =
            counted.by.into_iter().map(|(tag, sums)| core.written_by(tag, sums)).collect();
        devices.sort_by_key(|device| std::cmp::Reverse(device.bytes));
        Ok(WrittenTold { devices, complete: through && !counted.skipped })
    }
}

impl Counted {
    fn add(&mut self, core: &Core, ino: Ino) -> Result<(), Error> {
        let inode = match core.inode(ino) {
            // It went meanwhile.
            Err(Error::NotFound) => return Ok(()),
            found => found?,
        };
        let Some(head) = inode.head else { return Ok(()) };
        if inode.nlink > 1 {
            if self.linked.len() >= LINKED_FILES_MAX {
                self.skipped = true;
                return Ok(());
            }
            if !self.linked.insert(ino) {
                return Ok(());
            }
        }
        let (files, bytes) = self.by.entry(head.version.0.device).or_default();
        *files += 1;
        *bytes += inode.size;
        Ok(())
    }
}

impl Core {
    fn written_by(&self, tag: DeviceTag, (files, bytes): (u64, u64)) -> WrittenByDevice {
        let ledger = self.ledger.read();
        let (roster, keyring) = (ledger.roster(), ledger.keyring());
        let known = roster.device(tag);
        let name = known.and_then(|device| device.name(keyring));
        WrittenByDevice {
            user: known.map(|device| device.user.to_text()),
            user_name: known.and_then(|device| roster.member(&device.user)?.name(keyring)),
            device: name.unwrap_or_else(|| self.device_name(&ledger, tag)),
            files,
            bytes,
        }
    }
}
