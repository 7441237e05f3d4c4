//! What people ask of the group: peers, devices, whether everything is safe, who holds what.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::HeldReason;
use ledger::identity::DeviceId;
use ledger::roster::Role;
use swarm::{PeerState, View};
use tokio::sync::oneshot;
use ui::answers::{
    Audit, Device, Finding, Garbage, Holding, IfLost, Invitation, InviteRequest, JoinRequest, Joined, Leave,
    LeaveRequest, Owned, Peer, PeerScrub, PolicyChange, Relaying, WaitFor, Waited,
};
use ui::api::Refusal;
use vfs::Drive;

use super::dialer::Unanswered;
use super::driver::Told;
use super::garbage_log::GarbageLog;
use super::logs::MemberDevice;
use super::shared::{Known, PeerPath};
use super::{Group, Keys, policy};
use crate::scrubbing;

/// How long one request waits; whoever wants to wait longer asks again.
const WAIT_AT_ONCE: Duration = Duration::from_secs(15);
/// Chunks asked for in one question: half of what the swarm takes, so that two may ask.
pub(super) const CHUNKS_IN_QUESTION: usize = swarm::HOLDERS_MAX_IDS / 2;
/// Chunks of one file that are looked for at most.
pub(super) const CHUNKS_ASKED_MAX: usize = 1 << 20;
/// How long a first link may take.
const LINK_WAIT: Duration = Duration::from_secs(5);
/// How long the driver may take to answer.
const VIEW_WAIT: Duration = Duration::from_secs(5);
/// Why nothing here is ever safe.
const ALONE: &str = "the drive is on this computer alone, and one computer alone is never safe: it needs at least one more (`peerdrive invite`)";

impl ui::api::Group for Group {
    fn peers(&self) -> Vec<Peer> {
        let (view, paths) = self.view();
        let own = self.device.id();
        self.shared.with(|known| {
            let others = known.members.present().filter(|device| device.id != own);
            others.map(|device| peer(device, known, &view, paths.get(&device.id))).collect()
        })
    }

    fn relaying(&self) -> Relaying {
        let counts = self.endpoint.counts();
        Relaying {
            bytes_per_s: self.endpoint.relay_bytes_per_s(),
            relayed_bytes: counts.relayed_bytes,
            dropped_bytes: counts.relay_dropped_bytes,
        }
    }

    fn devices(&self) -> Vec<Device> {
        let (view, _) = self.view();
        let own = self.device.id();
        let mut devices: Vec<Device> = self.shared.with(|known| {
            known.members.present().map(|device| self.device_told(device, known, &view)).collect()
        });
        devices.sort_by_key(|device| (device.device != own.to_text(), device.name.clone()));
        devices
    }

    fn owned(&self) -> Vec<Owned> {
        let told = |of: swarm::Owned| Owned {
            device: of.device.to_text(),
            partitions: of.partitions,
            groups: of.groups,
        };
        self.ask(Told::Owned).into_iter().map(told).collect()
    }

    fn invite(&self, asked: &InviteRequest) -> Result<Invitation, Refusal> {
        self.invite_now(asked)
    }

    fn join(&self, asked: &JoinRequest) -> Result<Joined, Refusal> {
        self.join_now(asked)
    }

    fn rename_device(&self, device: &str, name: &str) -> Result<(), Refusal> {
        let device = self.named(device)?;
        let (drive, user) = self.drive()?;
        let name = name.trim();
        drive
            .change_roster(|roster, keyring| Ok(vec![roster.rename_device(user, keyring, device.id, name)?]))
            .map_err(|error| Refusal::Refused(error.to_string()))?;
        self.tell.tell(Told::RosterChanged);
        Ok(())
    }

    fn revoke_device(&self, device: &str) -> Result<(), Refusal> {
        let device = self.named(device)?;
        if device.id == self.device.id() {
            return Err(Refusal::Refused("this is the computer you are at: revoke it on another one".into()));
        }
        let (drive, user) = self.drive()?;
        let through = drive.frontier().0.get(&device.id).copied().unwrap_or(0);
        drive
            .change_roster(|roster, keyring| {
                let mut records = vec![roster.remove_device(user, device.id, through)?];
                records.extend(roster.new_epoch(user, keyring, &mut crate::entropy::fill)?);
                Ok(records)
            })
            .map_err(|error| Refusal::Refused(error.to_string()))?;
        self.tell.tell(Told::RosterChanged);
        Ok(())
    }

    fn declare_lost(&self, device: &str) -> Result<(), Refusal> {
        let device = self.named(device)?;
        if device.id == self.device.id() {
            return Err(Refusal::Refused("this is the computer you are at: say so on another one".into()));
        }
        if self.shared.with(|known| known.online.contains(&device.id)) {
            let told = "it is connected, so it is not lost: to take it out of the drive, use `peerdrive devices revoke`";
            return Err(Refusal::Refused(told.into()));
        }
        self.drive()?;
        self.tell.tell(Told::Declared { device: device.id, lost: true });
        Ok(())
    }

    fn declare_found(&self, device: &str) -> Result<(), Refusal> {
        let device = self.named(device)?;
        self.drive()?;
        self.tell.tell(Told::Declared { device: device.id, lost: false });
        Ok(())
    }

    fn if_lost(&self, devices: &[String]) -> Result<IfLost, Refusal> {
        self.if_lost_now(devices)
    }

    fn leave(&self, asked: LeaveRequest) -> Result<Leave, Refusal> {
        self.leave_now(asked)
    }

    fn leaving(&self) -> Leave {
        self.leaver.told(&self.view().0)
    }

    fn policy(&self) -> ui::answers::Policy {
        policy::shown(self.shared.with(|known| known.members.policy))
    }

    fn set_policy(&self, change: &PolicyChange) -> Result<ui::answers::Policy, Refusal> {
        let (drive, user) = self.drive()?;
        policy::change(drive, user, change)?;
        self.tell.tell(Told::RosterChanged);
        Ok(policy::shown(drive.roster(|roster, _| roster.policy())))
    }

    fn wait(&self, until: WaitFor, path: Option<&[u8]>) -> Waited {
        match until {
            WaitFor::Safe => self.wait_until_safe(path),
            WaitFor::Synced => self.wait_until_synced(),
        }
    }

    fn mending_chunks(&self) -> u64 {
        self.view().0.mending as u64
    }

    fn garbage(&self) -> Option<Garbage> {
        let Keys::Host { .. } = &self.keys else { return None };
        let told = self.view().0.garbage;
        Some(Garbage {
            collected_chunks: told.collected_chunks,
            waiting_chunks: told.doomed_chunks,
            unheard: self.names_of(&told.unheard),
            proofs: GarbageLog::in_folder(&self.workspace_folder).path().display().to_string(),
        })
    }

    fn copies(&self, paths: &[Vec<u8>]) -> Result<ui::api::CopyCounts, Refusal> {
        self.copies_now(paths)
    }

    fn holders(&self, path: &[u8]) -> Result<Vec<Holding>, Refusal> {
        let (drive, _) = self.drive()?;
        let failed = |error: vfs::PeopleError| Refusal::Refused(error.to_string());
        let ids = drive.chunk_ids(path, CHUNKS_ASKED_MAX).map_err(failed)?;
        let here = drive.store().have(&ids).map_err(|error| Refusal::Failed(error.to_string()))?;
        let here = here.iter().filter(|held| **held).count() as u64;
        let mut holders = vec![Holding { device: self.device.id().to_text(), chunks: here }];
        holders.extend(
            self.ask_peers(&ids)
                .into_iter()
                .map(|(device, chunks)| Holding { device: device.to_text(), chunks }),
        );
        Ok(holders)
    }
}

impl Group {
    /// What is to be told of the other computers: whose changes wait for a clock, and who does not keep what he says.
    pub fn examine_others(&self) -> Vec<Finding> {
        let mut findings = self.examine_clocks();
        let peers = ui::api::Group::peers(self);
        findings.extend(peers.iter().filter(|peer| peer.audit.wrong > 0).map(caught));
        findings.extend(self.examine_garbage());
        findings
    }

    fn names_of(&self, devices: &[DeviceId]) -> Vec<String> {
        self.shared.with(|known| {
            devices.iter().filter_map(|device| known.members.device(device)).map(name_of).collect()
        })
    }

    /// Who holds up that room is made of what nothing names any more, on a host without keys.
    fn examine_garbage(&self) -> Option<Finding> {
        let unheard = self.view().0.garbage.unheard;
        let names = self.names_of(&unheard);
        (!names.is_empty()).then(|| {
            let what = format!(
                "what was deleted still takes room here until these were online: {}",
                names.join(", ")
            );
            Finding::warning(
                what,
                "start them; one that will not come back: `peerdrive devices lost` or `revoke`, on a member",
            )
        })
    }

    fn examine_clocks(&self) -> Vec<Finding> {
        let Keys::Drive { drive, .. } = &self.keys else { return Vec::new() };
        let mut waiting: BTreeMap<DeviceId, u64> = BTreeMap::new();
        for (device, _, reason) in drive.held_and_refused().held {
            if reason == HeldReason::ClockAhead {
                *waiting.entry(device).or_default() += 1;
            }
        }
        let members = self.shared.with(|known| known.members.clone());
        let told = |(device, changes): (DeviceId, u64)| {
            let name = members.device(&device).map_or_else(|| device.to_text(), name_of);
            let what = format!(
                "the clock of {name} is ahead of this computer's: {changes} of its changes wait here until their time has come"
            );
            Finding::warning(what, "set the wrong one of the two clocks")
        };
        waiting.into_iter().map(told).collect()
    }

    /// The swarm's own view, and how peers are reached. Empty while the group ends.
    pub(super) fn view(&self) -> (View, BTreeMap<DeviceId, PeerPath>) {
        self.ask(Told::View)
    }

    /// What the driver says; nothing where it does not answer in time, as while the group ends.
    fn ask<T: Default>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Told) -> T {
        let (answer, answered) = oneshot::channel();
        self.tell.tell(question(answer));
        let answered = self.handle.block_on(async { tokio::time::timeout(VIEW_WAIT, answered).await });
        answered.ok().and_then(Result::ok).unwrap_or_default()
    }

    pub(super) fn drive(&self) -> Result<(&Drive, &ledger::keys::UserKeys), Refusal> {
        match &self.keys {
            Keys::Drive { drive, user } => Ok((drive, user)),
            Keys::Host { .. } => Err(Refusal::Refused(
                "this computer keeps sealed data for others: ask on one of theirs".into(),
            )),
        }
    }

    /// The device that a person means: by its id, the beginning of it, or its name.
    pub(super) fn named(&self, text: &str) -> Result<MemberDevice, Refusal> {
        let wanted = text.trim();
        let symbols = |text: &str| text.to_ascii_uppercase().replace('-', "");
        let prefix = symbols(wanted);
        let is_meant = |device: &&MemberDevice| {
            let by_id = prefix.len() >= 4 && symbols(&device.id.to_text()).starts_with(&prefix);
            by_id || device.name.as_deref() == Some(wanted)
        };
        let mut found: Vec<MemberDevice> =
            self.shared.with(|known| known.members.present().filter(is_meant).cloned().collect());
        match (found.pop(), found.is_empty()) {
            (Some(device), true) => Ok(device),
            (Some(_), false) => Err(Refusal::Refused(format!(
                "{wanted} means more than one device: use the id `peerdrive devices` shows"
            ))),
            (None, _) => {
                Err(Refusal::Refused(format!("there is no device {wanted}: see `peerdrive devices`")))
            }
        }
    }

    fn device_told(&self, device: &MemberDevice, known: &Known, view: &View) -> Device {
        let this = device.id == self.device.id();
        let facts = known.facts.get(&device.id);
        Device {
            device: device.id.to_text(),
            name: if this { self.own_name(device) } else { name_of(device) },
            this,
            state: if this || known.online.contains(&device.id) { "online" } else { gone(view, &device.id) }
                .into(),
            role: device.role.map_or("", Role::word).into(),
            contributed: facts.map_or(0, |facts| facts.contributed_bytes),
            used: facts.map_or(0, |facts| facts.used_bytes),
            leaving: facts.is_some_and(|facts| facts.capabilities & swarm::LEAVES != 0),
            site: facts.map(|facts| facts.site.clone()).unwrap_or_default(),
        }
    }

    fn own_name(&self, device: &MemberDevice) -> String {
        device.name.clone().unwrap_or_else(|| self.name.clone())
    }

    /// The name of this computer that the others see.
    pub fn name_here(&self) -> String {
        let own = self.device.id();
        self.shared.with(|known| {
            known.members.device(&own).map_or_else(|| self.name.clone(), |device| self.own_name(device))
        })
    }

    fn wait_until_safe(&self, path: Option<&[u8]>) -> Waited {
        let Ok((drive, _)) = self.drive() else {
            return no("this computer keeps sealed data for others: ask on one of theirs");
        };
        if !self.has_peers() {
            return no(ALONE);
        }
        if let Some(why) = self.why_never_safe() {
            return no(why);
        }
        if let Some(waited) = store_everything(drive) {
            return waited;
        }
        if let Some(path) = path {
            return self.wait_until_path_is_safe(drive, path);
        }
        let frontier = drive.frontier();
        let own = self.device.id();
        let all = |known: &Known| {
            // Of a device that was taken out nobody can say more than it did: `status` counts its files, nobody waits for them.
            let belongs = |device: &DeviceId| known.members.device(device).is_some();
            let mut behind = frontier
                .0
                .iter()
                .filter(|(device, sequence)| belongs(device) && known.safe_through(device, own) < **sequence);
            behind.next().is_none().then_some(())
        };
        match self.shared.wait(WAIT_AT_ONCE, all) {
            Some(()) => yes(),
            None => self.not_yet(),
        }
    }

    fn wait_until_path_is_safe(&self, drive: &Drive, path: &[u8]) -> Waited {
        let mut failed = None;
        let done = self.shared.wait(WAIT_AT_ONCE, |_| match drive.is_safe(path) {
            Ok(safe) => safe.then_some(()),
            Err(error) => {
                failed = Some(error.to_string());
                Some(())
            }
        });
        match (done, failed) {
            (_, Some(why)) => no(why),
            (Some(()), None) => yes(),
            (None, None) => self.not_yet(),
        }
    }

    fn has_peers(&self) -> bool {
        self.shared.with(|known| known.members.has_peers())
    }

    /// Where no computer is left that could keep another copy, waiting does not help.
    fn why_never_safe(&self) -> Option<String> {
        let (view, _) = self.view();
        let lost = view.peers.iter().filter(|peer| peer.state == PeerState::Lost);
        let lost: Vec<DeviceId> = lost.map(|peer| peer.device).collect();
        if lost.is_empty() || view.hosts >= usize::from(view.copies.min) {
            return None;
        }
        let names = self.shared.with(|known| {
            let names: Vec<String> =
                lost.iter().filter_map(|device| known.members.device(device)).map(name_of).collect();
            names.join(", ")
        });
        Some(format!(
            "{} of at least {} computers that keep copies are left (lost: {names}): invite another (`peerdrive invite`), or start a \
             lost one again",
            view.hosts, view.copies.min
        ))
    }

    /// What stands in the way, in words.
    fn not_yet(&self) -> Waited {
        let (view, _) = self.view();
        let is_away = |known: &Known, device: &&MemberDevice| {
            device.id != self.device.id() && !known.online.contains(&device.id)
        };
        let away: Vec<String> = self.shared.with(|known| {
            known.members.present().filter(|device| is_away(known, device)).map(name_of).collect()
        });
        let away =
            if away.is_empty() { String::new() } else { format!("; not reachable: {}", away.join(", ")) };
        let missing = format!("{} chunks are on their way to other computers{away}", view.outbox_chunks);
        Waited { done: false, why: None, missing: Some(missing) }
    }

    fn wait_until_synced(&self) -> Waited {
        if let Ok((drive, _)) = self.drive()
            && let Some(waited) = store_everything(drive)
        {
            return waited;
        }
        if !self.has_peers() {
            return yes();
        }
        // Links of a daemon that has just started take a moment.
        if self.shared.wait(LINK_WAIT, |known| (!known.online.is_empty()).then_some(())).is_none() {
            return no(
                "no other device is online: start it, or look at `peerdrive status` for why it is not reached",
            );
        }
        let done = self.shared.wait(WAIT_AT_ONCE, |known| {
            let own = self.inviter.kept.logs.frontier();
            let equal = known
                .online
                .iter()
                .all(|device| known.frontiers.get(device).is_some_and(|theirs| *theirs == own));
            equal.then_some(())
        });
        match done {
            Some(()) => yes(),
            None => Waited { done: false, why: None, missing: Some("changes are on their way".into()) },
        }
    }

    /// How many of these chunks the peers that are online hold.
    fn ask_peers(&self, ids: &[chunkstore::ChunkId]) -> BTreeMap<DeviceId, u64> {
        let mut holders = BTreeMap::new();
        for part in ids.chunks(CHUNKS_IN_QUESTION) {
            for (device, held) in self.ask(|answer| Told::Holders { ids: part.to_vec(), answer }) {
                *holders.entry(device).or_default() += held;
            }
        }
        holders
    }
}

fn caught(peer: &Peer) -> Finding {
    let Peer { name, audit, .. } = peer;
    let what = format!(
        "{name} says that it keeps chunks which it cannot show: {} of {} it was asked for",
        audit.wrong, audit.asked
    );
    Finding::problem(
        what,
        "look after that computer and its disk; until it can show what it keeps, copies go elsewhere",
    )
}

/// Settles and stores what is still in memory; an answer if that fails.
pub(super) fn store_everything(drive: &Drive) -> Option<Waited> {
    let stored = vfs::wait(|reply| drive.sync_all(reply));
    stored
        .err()
        .map(|error| no(format!("the last changes could not be stored ({error}): see `peerdrive doctor`")))
}

fn yes() -> Waited {
    Waited { done: true, why: None, missing: None }
}

fn no(why: impl Into<String>) -> Waited {
    Waited { done: false, why: Some(why.into()), missing: None }
}

pub(super) fn name_of(device: &MemberDevice) -> String {
    let unnamed = || device.id.to_text().split('-').next().unwrap_or_default().to_string();
    device.name.clone().unwrap_or_else(unnamed)
}

/// How long one that is not connected has been silent, in a word.
fn gone(view: &View, device: &DeviceId) -> &'static str {
    let state = view.peers.iter().find(|peer| peer.device == *device).map(|peer| peer.state);
    match state {
        Some(PeerState::Online | PeerState::Late) => "late",
        Some(PeerState::Away) | None => "away",
        Some(PeerState::Lost) => "lost",
    }
}

fn peer(device: &MemberDevice, known: &Known, view: &View, path: Option<&PeerPath>) -> Peer {
    let facts = known.facts.get(&device.id);
    let seen = view.peers.iter().find(|peer| peer.device == device.id);
    let (reached, why) = how(path, known, facts.is_some_and(|facts| !facts.addresses.is_empty()));
    Peer {
        device: device.id.to_text(),
        name: name_of(device),
        state: if path.is_some() { "online" } else { gone(view, &device.id) }.into(),
        path: reached,
        why: Some(why),
        role: device.role.map_or("", Role::word).into(),
        behind: seen.map_or(0, |peer| peer.sync_lag),
        outstanding_chunks: seen.map_or(0, |peer| peer.copies_outstanding as u64),
        rtt_ms: path.map(|path| path.rtt.as_secs_f64() * 1000.0),
        sent_bytes: path.map_or(0, |path| path.sent_bytes),
        received_bytes: path.map_or(0, |path| path.received_bytes),
        line_bytes_per_s: path.map(|path| path.line_bytes_per_s),
        contributed: facts.map_or(0, |facts| facts.contributed_bytes),
        used: facts.map_or(0, |facts| facts.used_bytes),
        full: facts.is_some_and(|facts| facts.full),
        audit: seen.map(|peer| audit(peer.audit)).unwrap_or_default(),
        scrub: seen.and_then(|peer| peer.scrubbed).map(scrubbed),
    }
}

fn scrubbed(of: swarm::Scrubbed) -> PeerScrub {
    PeerScrub {
        every_s: of.every_s,
        last: (of.ended_ms > 0).then(|| scrubbing::text(of.ended_ms)),
        last_bytes: of.bytes,
        last_bad_chunks: of.bad_chunks,
        damaged_chunks: of.damaged_chunks,
        healed_chunks: of.healed_chunks,
    }
}

fn audit(of: swarm::Audit) -> Audit {
    let swarm::Audit { asked, right, wrong, missing, silent } = of;
    Audit { asked, right, wrong, missing, silent }
}

fn how(path: Option<&PeerPath>, known: &Known, has_addresses: bool) -> (Option<String>, String) {
    match path {
        Some(PeerPath { relay: Some((relay, unanswered)), .. }) => {
            let relay = known.members.device(relay).map_or_else(|| relay.to_text(), name_of);
            (Some("relayed".into()), format!("through {relay}: {}", why_not_direct(*unanswered)))
        }
        Some(path) if path.near => (Some("direct LAN".into()), path.address.to_string()),
        Some(path) => (Some("direct WAN".into()), path.address.to_string()),
        None if has_addresses => (None, "it answers at none of its addresses".into()),
        None => (None, "its address is not known".into()),
    }
}

fn why_not_direct(unanswered: Option<Unanswered>) -> String {
    match unanswered {
        Some(Unanswered::At { address, time }) => {
            format!("no direct answer from {address} for {} s", time.as_secs())
        }
        Some(Unanswered::NoAddress) => "its address is not known".into(),
        None => "it called that way".into(),
    }
}
