//! What some computers would take with them if they died now.

use std::collections::BTreeSet;
use std::time::Duration;

use chunkstore::PARTITIONS;
use ledger::identity::{DeviceId, DeviceTag};
use swarm::placement::{HostWeight, owners, weight_of};
use swarm::{PeerState, View};
use ui::answers::{ConcernedFiles, IfLost};
use ui::api::Refusal;

use super::Group;

/// Files named of each kind.
const NAMED_MAX: usize = 100;
/// How long the look at all files may take; the numbers are the least then.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes a second that a host copies from which nothing came yet.
const UNMEASURED_BYTES_PER_S: u64 = 1 << 20;

/// Who would be left.
pub(super) struct Left {
    /// Hosts, as placement sees them now.
    pub(super) hosts: Vec<HostWeight>,
    lost: BTreeSet<DeviceId>,
    own: DeviceId,
    /// Other devices, by what signs their versions.
    tags: BTreeSet<DeviceTag>,
    pub(super) copies: usize,
}

impl Left {
    /// For each partition, how many other hosts that keep it would be left. Next to a host that is full, what is new lies elsewhere than
    /// what is old: then only those count that keep both.
    fn others(&self) -> Vec<u8> {
        let roomy: Vec<HostWeight> =
            self.hosts.iter().map(|host| HostWeight { full: false, ..host.clone() }).collect();
        let count = |partition| {
            let old = owners(partition, &roomy, self.copies);
            let mut new = owners(partition, &self.hosts, self.copies);
            new.retain(|host| old.contains(host) && *host != self.own && !self.lost.contains(host));
            u8::try_from(new.len()).unwrap_or(u8::MAX)
        };
        (0..PARTITIONS).map(count).collect()
    }

    fn hosts_left(&self) -> usize {
        self.hosts.iter().filter(|host| !self.lost.contains(&host.device)).count()
    }
}

impl Group {
    pub(super) fn if_lost_now(&self, names: &[String]) -> Result<IfLost, Refusal> {
        let (drive, _) = self.drive()?;
        let lost: Result<BTreeSet<DeviceId>, Refusal> =
            names.iter().map(|name| self.named(name).map(|device| device.id)).collect();
        let (view, _) = self.view();
        let left = self.left(lost?, &view);
        let told = drive
            .loss(&vfs::LossAsked {
                hosts_left: &left.others(),
                others_left: left.tags.len(),
                this_is_left: !left.lost.contains(&left.own),
                is_left: &|tag| left.tags.contains(&tag),
                limit: NAMED_MAX,
                patience: PATIENCE,
            })
            .map_err(|error| Refusal::Failed(format!("the files could not be looked at ({error})")))?;
        let heal_bytes = self.bytes_of(&left.lost);
        // While copies are under way, not every host has what it should; where there are no files, there is nothing to have.
        let copied = told.files == 0 || view.outbox_complete && view.outbox_chunks == 0;
        Ok(IfLost {
            devices: left.lost.iter().map(DeviceId::to_text).collect(),
            gone: concerned(&told.gone),
            single: concerned(&told.single),
            complete: told.complete && copied,
            heal_bytes,
            heal_s: heal_time(heal_bytes, &left, &view),
            hosts_left: left.hosts_left() as u64,
        })
    }

    pub(super) fn left(&self, lost: BTreeSet<DeviceId>, view: &View) -> Left {
        let own = self.device.id();
        let gone = |device: &DeviceId| {
            view.peers.iter().any(|peer| peer.device == *device && peer.state == PeerState::Lost)
        };
        self.shared.with(|known| {
            let present: Vec<DeviceId> =
                known.members.present().map(|device| device.id).filter(|device| !gone(device)).collect();
            let weighed = present.iter().filter_map(|device| {
                let facts = known.facts.get(device).filter(|facts| facts.contributed_bytes > 0)?;
                let weight = weight_of(facts.contributed_bytes);
                Some(HostWeight { device: *device, weight, site: facts.site.clone(), full: facts.full })
            });
            let hosts = weighed.collect();
            let others = present.iter().filter(|device| **device != own && !lost.contains(*device));
            let tags = others.map(DeviceId::tag).collect();
            Left { hosts, lost, own, tags, copies: usize::from(view.copies.target) }
        })
    }

    /// What these devices hold, as they said.
    fn bytes_of(&self, devices: &BTreeSet<DeviceId>) -> u64 {
        self.shared.with(|known| {
            let facts = devices.iter().filter_map(|device| known.facts.get(device));
            facts.filter(|facts| facts.contributed_bytes > 0).map(|facts| facts.used_bytes).sum()
        })
    }
}

/// Seconds at most: each host that is here copies at the rate at which single chunks came from it. None with fewer than two hosts, one of
/// them here to copy from.
fn heal_time(bytes: u64, left: &Left, view: &View) -> Option<u64> {
    let is_host = |device: &DeviceId| left.hosts.iter().any(|host| host.device == *device);
    let here = view
        .peers
        .iter()
        .filter(|peer| peer.connected && is_host(&peer.device) && !left.lost.contains(&peer.device));
    let rate: u64 = here.map(|peer| peer.chunk_rate.unwrap_or(UNMEASURED_BYTES_PER_S)).sum();
    (rate > 0 && left.hosts_left() >= 2).then(|| bytes.div_ceil(rate))
}

fn concerned(files: &vfs::Concerned) -> ConcernedFiles {
    let paths = files.paths.iter().map(|path| String::from_utf8_lossy(path).into_owned());
    ConcernedFiles { files: files.files, bytes: files.bytes, paths: paths.collect() }
}
