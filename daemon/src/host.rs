//! The daemon, as the API sees it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chunkstore::{ChunkStore, Limits};
use ui::answers::{Contribution, ContributionChange, Finding, HourSpan, Keys, Setting, SettingChange};
use ui::api::{Facts, Host, Refusal, Room, Stored};
use ui::units::{ByteRate, ByteSize};
use vfs::Drive;
use zeroize::Zeroizing;

use crate::data_folder::DataFolder;
use crate::group::Group;
use crate::identity::{self, IdentityError};
use crate::scrubbing::Scrubbing;
use crate::settings::{Hours, Settings, SettingsError, Traffic, Value};
use crate::stopping::{Reason, Stop};

/// A running daemon.
pub struct Running {
    pub folder: DataFolder,
    /// None on a host without keys.
    pub drive: Option<Arc<Drive>>,
    pub store: Arc<ChunkStore>,
    pub group: Arc<Group>,
    pub scrubbing: Arc<Scrubbing>,
    pub device: String,
    pub workspace: String,
    pub mountpoint: Option<PathBuf>,
    pub given: Mutex<Given>,
    pub traffic: Mutex<Traffic>,
    /// Whether what is given holds copies for others, or only a cache.
    pub keeps_replicas: bool,
    /// A file that is on this computer alone for so long is warned of.
    pub only_here_after: Duration,
    pub stop: Stop,
    /// Opening the panel takes the passphrase as well, where there is one.
    pub panel_passphrase: bool,
    /// One passphrase at a time: each costs 64 MiB.
    pub keys: Mutex<()>,
}

/// What this computer gives.
#[derive(Debug, Clone, Copy)]
pub struct Given {
    pub contribute: ByteSize,
    pub reserve: ByteSize,
    pub up: ByteRate,
    pub down: ByteRate,
}

impl Running {
    fn examine_mount(&self) -> Finding {
        let Some(mountpoint) = &self.mountpoint else {
            return Finding::fine("the drive is not mounted, as it was started");
        };
        // Opening asks the drive; attributes would come out of the kernel's cache.
        match std::fs::read_dir(mountpoint) {
            Ok(_) => Finding::fine(format!("the drive answers at {}", mountpoint.display())),
            Err(error) => {
                let what = format!("the drive does not answer at {} ({error})", mountpoint.display());
                Finding::problem(what, "restart it: `peerdrive down`, then `peerdrive up`")
            }
        }
    }

    /// What others may take, and how fast, from now on.
    fn tell_group(&self, given: Given) {
        let given_to_others = if self.keeps_replicas { given.contribute.0 } else { 0 };
        let rates = locked(&self.traffic).rates(given.up, given.down);
        self.group.set_given(given_to_others, rates);
    }

    fn told(&self, given: Given) -> Contribution {
        let minute = ui::moment::minute_of_week();
        let traffic = locked(&self.traffic);
        // What the network goes by, and not what it should.
        let now = self.group.allowed();
        Contribution {
            contributed: given.contribute.0,
            reserve: given.reserve.0,
            up: given.up.0,
            down: given.down.0,
            used: self.store.usage().pack_bytes,
            up_now: now.up_bytes_per_s,
            down_now: now.down_bytes_per_s,
            hours_now: traffic.at(minute),
        }
    }
}

impl Host for Running {
    fn drive(&self) -> Option<Arc<Drive>> {
        self.drive.clone()
    }

    fn group(&self) -> Arc<dyn ui::api::Group> {
        self.group.clone()
    }

    fn facts(&self) -> Facts {
        let usage = self.store.usage();
        Facts {
            version: env!("CARGO_PKG_VERSION").into(),
            device: self.device.clone(),
            workspace: self.workspace.clone(),
            name: self.group.name_here(),
            mountpoint: self.mountpoint.clone(),
            resident_bytes: platform::memory::resident_bytes(),
            only_here_after: self.only_here_after,
            damaged_chunks: usage.damaged_chunks,
            healed_chunks: usage.healed_chunks,
            scrub: self.scrubbing.told(),
        }
    }

    fn contribution(&self) -> Contribution {
        self.told(*locked(&self.given))
    }

    fn stored(&self) -> Stored {
        let usage = self.store.usage();
        Stored {
            chunks: usage.chunks,
            live_bytes: usage.live_bytes,
            cached_bytes: usage.cached_bytes,
            saved_bytes: usage.saved_by_dedup_bytes,
            compressed_away_bytes: usage.saved_by_compression_bytes,
        }
    }

    fn chunks_by_partition(&self) -> Result<Vec<u64>, Refusal> {
        self.store.chunks_by_partition().map_err(|error| Refusal::Failed(error.to_string()))
    }

    fn room(&self) -> Option<Room> {
        let room = crate::drive::room(&self.folder).ok()?;
        Some(Room { disk_bytes: room.disk_bytes, free_bytes: room.free_bytes })
    }

    fn contribute(&self, change: &ContributionChange) -> Result<Contribution, Refusal> {
        let mut given = locked(&self.given);
        let (next, values) = changed(*given, change);
        let failed = |error: SettingsError| Refusal::Failed(error.to_string());
        Settings::store(&self.folder.config(), &values).map_err(failed)?;
        *given = next;
        match &self.drive {
            Some(drive) => drive.set_contribution(next.contribute.0, Some(next.reserve.0)),
            None => self.store.set_limits(Limits {
                contribute_bytes: next.contribute.0,
                reserve_bytes: next.reserve.0,
                ..self.store.limits()
            }),
        }
        self.tell_group(next);
        Ok(self.told(next))
    }

    fn hours(&self) -> Vec<HourSpan> {
        locked(&self.traffic).hours.iter().map(Hours::told).collect()
    }

    fn set_hours(&self, spans: &[HourSpan]) -> Result<Vec<HourSpan>, Refusal> {
        // One change of the file at a time.
        let given = locked(&self.given);
        let next = Settings::store_hours(&self.folder.config(), spans).map_err(|error| unset(&error))?;
        locked(&self.traffic).hours = next;
        self.tell_group(*given);
        Ok(self.hours())
    }

    fn settings(&self) -> Result<Vec<Setting>, Refusal> {
        Settings::changeable(&self.folder.config()).map_err(|error| unset(&error))
    }

    fn change_setting(&self, change: &SettingChange) -> Result<Vec<Setting>, Refusal> {
        // One change of the file at a time.
        let given = locked(&self.given);
        Settings::change(&self.folder.config(), &change.key, &change.value).map_err(|error| unset(&error))?;
        drop(given);
        self.settings()
    }

    fn keys(&self) -> Result<Keys, Refusal> {
        let (user, locked) = identity::user_of(&self.folder).map_err(|error| refused(&error))?;
        Ok(Keys { user: user.to_text(), locked })
    }

    fn set_passphrase(&self, old: Option<&str>, new: Option<&str>) -> Result<(), Refusal> {
        let _one = locked(&self.keys);
        identity::set_passphrase(&self.folder, old, new).map_err(|error| refused(&error))
    }

    fn check_panel_passphrase(&self, given: Option<&str>) -> Result<(), Refusal> {
        if !self.panel_passphrase || !self.keys()?.locked {
            return Ok(());
        }
        let Some(given) = given else {
            return Err(Refusal::Secret("this panel asks for the passphrase of your keys as well".into()));
        };
        let _one = locked(&self.keys);
        identity::check_passphrase(&self.folder, Some(given)).map_err(|error| refused(&error))
    }

    fn recovery_phrase(&self, passphrase: Option<&str>) -> Result<Zeroizing<String>, Refusal> {
        let _one = locked(&self.keys);
        identity::recovery_phrase(&self.folder, passphrase).map_err(|error| refused(&error))
    }

    fn examine(&self) -> Vec<Finding> {
        let mut findings = vec![self.examine_mount()];
        findings.extend(self.group.examine_others());
        findings.extend(crate::hurry::examine());
        let aside = self.folder.tokens_aside();
        if aside.exists() {
            let what =
                format!("the tokens of other programs could not be read and are in {}", aside.display());
            findings.push(Finding::warning(
                what,
                "make new ones with `peerdrive token create`, then delete that file",
            ));
        }
        findings
    }

    fn scrubbed_by_hand(&self, bytes: u64, bad_chunks: u64) {
        self.scrubbing.ended_by_hand(bytes, bad_chunks);
    }

    fn random(&self, bytes: &mut [u8]) {
        crate::entropy::fill(bytes);
    }

    fn stop(&self) {
        self.stop.ask(Reason::Command);
    }
}

fn changed(mut given: Given, change: &ContributionChange) -> (Given, Vec<(&'static str, Value)>) {
    let mut values = Vec::new();
    let mut write = |key, text: String| values.push((key, Value::Text(text)));
    if let Some(bytes) = change.contribute {
        given.contribute = ByteSize(bytes);
        write("contribute", given.contribute.to_string());
    }
    if let Some(bytes) = change.reserve {
        given.reserve = ByteSize(bytes);
        write("reserve", given.reserve.to_string());
    }
    if let Some(bytes) = change.up {
        given.up = ByteRate(bytes);
        write("up", given.up.to_string());
    }
    if let Some(bytes) = change.down {
        given.down = ByteRate(bytes);
        write("down", given.down.to_string());
    }
    (given, values)
}

fn unset(error: &SettingsError) -> Refusal {
    match error {
        SettingsError::Wrong { .. } | SettingsError::Hours(_) => Refusal::Refused(error.to_string()),
        SettingsError::Io { .. } => Refusal::Failed(error.to_string()),
    }
}

fn refused(error: &IdentityError) -> Refusal {
    match error {
        IdentityError::Secret(_) | IdentityError::OldPassphraseNeeded => Refusal::Secret(error.to_string()),
        IdentityError::Io { .. } => Refusal::Failed(error.to_string()),
        _ => Refusal::Refused(error.to_string()),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain data, replaced whole: a panic elsewhere left nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named_changes() {
        let given = Given {
            contribute: ByteSize(10 << 30),
            reserve: ByteSize(5 << 30),
            up: ByteRate(0),
            down: ByteRate(7),
        };
        let change =
            ContributionChange { contribute: Some(1 << 30), up: Some(0), ..ContributionChange::default() };
        let (next, values) = changed(given, &change);
        assert_eq!((next.contribute.0, next.reserve.0, next.down.0), (1 << 30, 5 << 30, 7));
        assert_eq!(values, [("contribute", Value::Text("1G".into())), ("up", Value::Text("off".into()))]);
    }
}
