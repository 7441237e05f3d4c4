//! What the driver is told by others than the links, and what it does then.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use ledger::identity::DeviceId;
use swarm::{Input, JobResult, Owned, Scrubbed, View};
use tokio::sync::oneshot;
use transport::{Found, Link};

use super::{Driver, FRESH_PAUSE};
use crate::group::shared::PeerPath;
use crate::scrubbing::LastPass;

/// Who asks which hosts hold some chunks: each that answers, and how many.
pub type HoldersAnswer = oneshot::Sender<Vec<(DeviceId, u64)>>;

/// What the driver is told by others than the links.
pub enum Told {
    /// A peer called.
    Arrived(Link),
    /// A call went through, or did not.
    Called { device: DeviceId, link: Option<Box<Link>> },
    /// A device showed up on the network.
    Found(Found),
    /// Some jobs are done.
    Done(Vec<(u64, JobResult)>),
    /// A reader wants a chunk in the store.
    Fetch { id: chunkstore::ChunkId, urgency: swarm::Urgency, done: vfs::FetchDone },
    /// An `fsync` waits until this computer's log is on so many computers.
    AwaitCopies { sequence: u64, copies: u8, done: vfs::CopiesDone },
    /// A person says that a device is lost, or is not.
    Declared { device: DeviceId, lost: bool },
    /// Logs went on, on disk.
    LogAdvanced,
    /// New chunks are in the store.
    Fresh,
    /// The roster may have changed.
    RosterChanged,
    /// Where the router lets others in.
    External(Option<SocketAddr>),
    /// Whether this computer passes packets on for others.
    Relays(bool),
    /// This computer leaves the drive, or stays after all.
    Leaves(bool),
    /// What this computer gives changed.
    Given { contribute_bytes: u64 },
    /// A whole pass over all chunks takes so long, seconds, and how the last one went.
    Scrubbed { every_s: u64, last: Option<LastPass> },
    /// Somebody wants to know what each host owns.
    Owned(oneshot::Sender<Vec<Owned>>),
    /// Somebody wants to know who holds these chunks.
    Holders { ids: Vec<chunkstore::ChunkId>, answer: HoldersAnswer },
    /// Somebody wants to know.
    View(oneshot::Sender<(View, BTreeMap<DeviceId, PeerPath>)>),
    /// End.
    Stop,
}

impl Driver {
    pub(super) fn hear(&mut self, said: Told) {
        match said {
            Told::Arrived(link) => self.arrived(link),
            Told::Called { device, link: Some(link) } => self.connected(device, *link, true),
            Told::Called { device, link: None } => self.call_failed(&device),
            Told::Found(found) => {
                if let Some(device) = self.keys.get(&found.announced.key) {
                    self.dialer.showed_up(Instant::now(), device, &found.addresses);
                }
            }
            Told::Done(done) => done.into_iter().for_each(|(job, result)| self.done(job, result)),
            Told::Fetch { id, urgency, done } => self.fetch(id, urgency, done),
            Told::AwaitCopies { sequence, copies, done } => {
                self.fresh();
                let ticket = self.ticket();
                self.copying.insert(ticket, done);
                self.handle(Input::AwaitCopies { ticket, sequence, copies: copies.into() });
            }
            Told::Declared { device, lost } => {
                self.handle(if lost {
                    Input::DeclareLost { device }
                } else {
                    Input::DeclareFound { device }
                });
                self.unsaved_since.get_or_insert_with(Instant::now);
            }
            Told::LogAdvanced => self.log_advanced(),
            Told::Fresh => {
                self.fresh_due.get_or_insert_with(|| Instant::now() + FRESH_PAUSE);
            }
            Told::RosterChanged => self.refresh_members(),
            Told::External(address) => {
                self.external = address;
                self.own_facts_due.get_or_insert(Instant::now());
            }
            Told::Relays(relays) => {
                self.is_relay = relays;
                self.own_facts_due.get_or_insert(Instant::now());
            }
            Told::Leaves(leaves) => {
                self.parts.leaves = leaves;
                self.own_facts_due = None;
                self.renew_own_facts();
            }
            Told::Given { contribute_bytes } => {
                self.parts.contribute_bytes = contribute_bytes;
                self.own_facts_due.get_or_insert(Instant::now());
            }
            Told::Scrubbed { every_s, last } => {
                let LastPass { ended_ms, bytes, bad_chunks, .. } = last.unwrap_or_default();
                self.scrubbed =
                    Some(Scrubbed { every_s, ended_ms, bytes, bad_chunks, ..Scrubbed::default() });
                self.tell_scrubbed();
                self.tell_damage();
            }
            Told::Owned(answer) => {
                // Who asked may have given up.
                let _ = answer.send(self.node.owned());
            }
            Told::Holders { ids, answer } => {
                let ticket = self.ticket();
                self.questions.retain(|_, answer| !answer.is_closed());
                self.questions.insert(ticket, answer);
                self.handle(Input::WhoHas { ticket, ids });
            }
            Told::View(answer) => {
                // Who asked may have given up.
                let _ = answer.send((self.node.view(self.now()), self.paths()));
            }
            Told::Stop => {}
        }
    }
}
