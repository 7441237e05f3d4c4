//! The links to peers: one a device, with a queue of what goes out and a task that takes in what comes.
//!
//! Frames that come in are handed on through two bounded queues: chunks in bulk wait while the disk is behind, everything else
//! does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ledger::identity::DeviceId;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use transport::{CloseReason, Lane, Link, LinkReceiver, LinkSender};

/// Bytes that wait for one peer at most; more is dropped, and the protocol sends it again.
const OUT_WAITING_MAX_BYTES: usize = 96 << 20;
/// Bytes taken in from all peers that wait to be looked at, without chunks in bulk.
const IN_WAITING_MAX_BYTES: usize = 16 << 20;
/// The same for chunks in bulk.
const BULK_WAITING_MAX_BYTES: usize = 16 << 20;
/// Frames that wait, in each of the two queues.
const FRAMES_WAITING_MAX: usize = 1024;
/// Two links made by both ends at once are this young; one that replaces an older link is trusted instead.
const SAME_MOMENT: Duration = Duration::from_secs(5);
/// A call through a relay that came so soon after a direct link was begun before it; one that comes later says that the
/// peer has lost the direct one. A call takes 10 s at most.
const CALL_TIME: Duration = Duration::from_secs(12);

/// A frame that came in.
pub struct Came {
    pub device: DeviceId,
    pub link: u64,
    pub lane: Lane,
    pub bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// A link that ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    pub device: DeviceId,
    pub link: u64,
}

/// What is told by the tasks of the links.
pub struct Incoming {
    pub frames: Receiver<Came>,
    pub bulk: Receiver<Came>,
    pub ended: UnboundedReceiver<Ended>,
}

/// All links.
pub struct Links {
    me: DeviceId,
    connected: BTreeMap<DeviceId, Connected>,
    frames: (Sender<Came>, Arc<Semaphore>),
    bulk: (Sender<Came>, Arc<Semaphore>),
    ended: UnboundedSender<Ended>,
    dropped_frames: u64,
}

struct Connected {
    sender: LinkSender,
    called: bool,
    since: Instant,
    out: [UnboundedSender<Vec<Bytes>>; 4],
    waiting_bytes: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

/// What became of a new link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the first to this device.
    New,
    /// It stands in for another one, which was closed.
    Instead,
    /// It was closed: there is a better one.
    Superfluous,
}

impl Links {
    pub fn new(me: DeviceId) -> (Self, Incoming) {
        let (frames, frames_in) = channel(FRAMES_WAITING_MAX);
        let (bulk, bulk_in) = channel(FRAMES_WAITING_MAX);
        let (ended, ended_in) = unbounded_channel();
        let links = Self {
            me,
            connected: BTreeMap::new(),
            frames: (frames, Arc::new(Semaphore::new(IN_WAITING_MAX_BYTES))),
            bulk: (bulk, Arc::new(Semaphore::new(BULK_WAITING_MAX_BYTES))),
            ended,
            dropped_frames: 0,
        };
        (links, Incoming { frames: frames_in, bulk: bulk_in, ended: ended_in })
    }

    /// Takes a new link in; `called`: this end made it.
    pub fn take(&mut self, device: DeviceId, link: Link, called: bool) -> Taken {
        let instead = match self.connected.get(&device) {
            None => false,
            Some(old) if !old.sender.is_closed() && !self.is_better(device, old, &link.sender, called) => {
                link.sender.close(CloseReason::Replaced);
                return Taken::Superfluous;
            }
            Some(_) => true,
        };
        if let Some(old) = self.connected.remove(&device) {
            old.close(CloseReason::Replaced);
        }
        let connected = self.start(device, link, called);
        self.connected.insert(device, connected);
        if instead { Taken::Instead } else { Taken::New }
    }

    /// A direct link is better than a relayed one. Of two alike made at the same moment, both ends keep the one that the
    /// device with the smaller id made.
    fn is_better(&self, device: DeviceId, old: &Connected, new: &LinkSender, called: bool) -> bool {
        match (old.sender.relay().is_some(), new.relay().is_some()) {
            (true, false) => true,
            (false, true) => !called && old.since.elapsed() > CALL_TIME,
            _ => old.since.elapsed() > SAME_MOMENT || old.called == called || called == (self.me < device),
        }
    }

    fn start(&self, device: DeviceId, link: Link, called: bool) -> Connected {
        let Link { sender, receiver } = link;
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        let out = [Lane::Control, Lane::Log, Lane::Urgent, Lane::Bulk].map(|lane| {
            let (out, queue) = unbounded_channel();
            tasks.push(tokio::spawn(send(sender.clone(), lane, queue, Arc::clone(&waiting_bytes))));
            out
        });
        let incoming = Reader {
            device,
            link: sender.id(),
            frames: self.frames.clone(),
            bulk: self.bulk.clone(),
            ended: self.ended.clone(),
        };
        tasks.push(tokio::spawn(incoming.run(receiver)));
        Connected { sender, called, since: Instant::now(), out, waiting_bytes, tasks }
    }

    /// Queues a frame for a device.
    pub fn send(&mut self, device: &DeviceId, lane: Lane, parts: Vec<Bytes>) {
        let Some(connected) = self.connected.get(device) else { return };
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        if connected.waiting_bytes.load(Ordering::Relaxed) + bytes > OUT_WAITING_MAX_BYTES {
            self.dropped_frames += 1;
            tracing::debug!(%device, dropped = self.dropped_frames, "a frame was dropped: the peer is slow");
            return;
        }
        connected.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        // The task has ended with the link; that it did is told elsewhere.
        let _ = connected.out[lane as usize].send(parts);
    }

    /// Closes the link to a device; how long it was there.
    pub fn close(&mut self, device: &DeviceId, why: CloseReason) -> Option<Duration> {
        let closed = self.connected.remove(device)?;
        let lived = closed.since.elapsed();
        closed.close(why);
        Some(lived)
    }

    /// Forgets a link that ended, unless another one stands in for it. How long it was there, if the device is not
    /// connected any more.
    pub fn ended(&mut self, ended: Ended) -> Option<Duration> {
        let is_it = self.is_present(&ended.device, ended.link);
        is_it.then(|| self.close(&ended.device, CloseReason::Done)).flatten()
    }

    /// Whether this link is the device's present one.
    pub fn is_present(&self, device: &DeviceId, link: u64) -> bool {
        self.connected.get(device).is_some_and(|connected| connected.sender.id() == link)
    }

    /// The link to a device: where it leads, the round trip.
    pub fn to(&self, device: &DeviceId) -> Option<&LinkSender> {
        self.connected.get(device).map(|connected| &connected.sender)
    }

    /// The devices that are connected.
    pub fn devices(&self) -> Vec<DeviceId> {
        self.connected.keys().copied().collect()
    }
}

impl Connected {
    fn close(self, why: CloseReason) {
        self.sender.close(why);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn send(
    sender: LinkSender,
    lane: Lane,
    mut queue: UnboundedReceiver<Vec<Bytes>>,
    waiting_bytes: Arc<AtomicUsize>,
) {
    while let Some(parts) = queue.recv().await {
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        let sent = sender.send(lane, parts).await;
        waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Err(error) = sent {
            tracing::debug!(%error, "a link ended while something was sent");
            return;
        }
    }
}

struct Reader {
    device: DeviceId,
    link: u64,
    frames: (Sender<Came>, Arc<Semaphore>),
    bulk: (Sender<Came>, Arc<Semaphore>),
    ended: UnboundedSender<Ended>,
}

impl Reader {
    async fn run(self, mut receiver: LinkReceiver) {
        while let Ok((lane, bytes)) = receiver.recv().await {
            let (queue, room) = if lane == Lane::Bulk { &self.bulk } else { &self.frames };
            // No frame is longer than the room; the semaphore is never closed.
            let needed = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let Ok(room) = Arc::clone(room).acquire_many_owned(needed).await else { break };
            let came = Came { device: self.device, link: self.link, lane, bytes, _room: room };
            if queue.send(came).await.is_err() {
                break;
            }
        }
        // The driver has ended: nobody wants to know.
        let _ = self.ended.send(Ended { device: self.device, link: self.link });
    }
}
