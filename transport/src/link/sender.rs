//! The sending side of a link: four queues, bounded in bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quinn::SendStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};

use super::{LinkError, Shared, writer};
use crate::close::{CloseReason, Ended};
use crate::key::PeerKey;
use crate::lane::{FRAME_OVERHEAD_BYTES, LANES, Lane};

/// A frame on its way to the writer, and the room it takes until it is written.
pub(super) struct Queued {
    pub(super) parts: Vec<Bytes>,
    pub(super) bytes: usize,
    pub(super) _room: OwnedSemaphorePermit,
}

/// One lane's queue. The channel is unbounded; the room is not.
struct Queue {
    room: Arc<Semaphore>,
    frames: mpsc::UnboundedSender<Queued>,
}

/// The sending side of a link; cheap to clone.
#[derive(Clone)]
pub struct LinkSender {
    shared: Arc<Shared>,
    queues: Arc<[Queue; LANES.len()]>,
}

/// Why a frame was not taken at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError {
    /// The lane's queue is full.
    #[error("the lane's queue is full")]
    Full,
    /// It would not be taken later either.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl LinkSender {
    /// With the room of each queue, to be closed when the connection ends.
    pub(super) fn start(shared: &Arc<Shared>, streams: Vec<SendStream>) -> (Self, Vec<Arc<Semaphore>>) {
        let mut streams = streams.into_iter();
        let queues = LANES.map(|lane| {
            let stream = streams.next().expect("one stream was opened for each lane");
            let room = Arc::new(Semaphore::new(lane.waiting_max_bytes()));
            let (frames, queued) = mpsc::unbounded_channel();
            tokio::spawn(writer::write_lane(Arc::clone(shared), lane, stream, queued, Arc::clone(&room)));
            Queue { room, frames }
        });
        let rooms = queues.iter().map(|queue| Arc::clone(&queue.room)).collect();
        (Self { shared: Arc::clone(shared), queues: Arc::new(queues) }, rooms)
    }

    /// Sends one frame whose body is these parts one after the other. Waits while the lane's queue is full.
    ///
    /// # Errors
    /// If the link is gone, or the frame larger than [`Lane::frame_max_bytes`].
    pub async fn send(&self, lane: Lane, parts: Vec<Bytes>) -> Result<(), LinkError> {
        let (bytes, permits) = measure(lane, &parts)?;
        let queue = &self.queues[lane.index()];
        let room = Arc::clone(&queue.room).acquire_many_owned(permits).await;
        let room = room.map_err(|_| self.error())?;
        queue.frames.send(Queued { parts, bytes, _room: room }).map_err(|_| self.error())
    }

    /// As [`LinkSender::send`], but never waits.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if the lane's queue has no room, else as `send`.
    pub fn try_send(&self, lane: Lane, parts: Vec<Bytes>) -> Result<(), TrySendError> {
        let (bytes, permits) = measure(lane, &parts)?;
        let queue = &self.queues[lane.index()];
        let room = Arc::clone(&queue.room).try_acquire_many_owned(permits).map_err(|error| match error {
            TryAcquireError::NoPermits => TrySendError::Full,
            TryAcquireError::Closed => self.error().into(),
        })?;
        queue.frames.send(Queued { parts, bytes, _room: room }).map_err(|_| self.error().into())
    }

    /// Bytes in a lane's queue, not yet given to QUIC; each frame counts
    /// [`FRAME_OVERHEAD_BYTES`](crate::FRAME_OVERHEAD_BYTES) beside its body.
    #[must_use]
    pub fn queued_bytes(&self, lane: Lane) -> usize {
        let free = self.queues[lane.index()].room.available_permits();
        lane.waiting_max_bytes().saturating_sub(free)
    }

    /// The device at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerKey {
        self.shared.peer
    }

    /// A number no other link of this process has.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// Where the peer is now, or the relay it is reached through; changes when that moves.
    #[must_use]
    pub fn remote_address(&self) -> SocketAddr {
        let nearest = self.shared.through.as_ref().map_or(&self.shared, |carrier| &carrier.link);
        crate::endpoint::plain_address(nearest.connection.remote_address())
    }

    /// The member that passes everything on between here and the peer; none on a direct link.
    #[must_use]
    pub fn relay(&self) -> Option<PeerKey> {
        self.shared.through.as_ref().map(|carrier| carrier.link.peer)
    }

    /// Estimated round trip.
    #[must_use]
    pub fn rtt(&self) -> Duration {
        self.shared.connection.rtt()
    }

    /// What the line to the peer takes, bytes a second, as far as congestion control has found out: one congestion window each round
    /// trip. Under load that is the line's rate; while little is sent it is what was found out before, or a guess.
    #[must_use]
    pub fn line_bytes_per_s(&self) -> u64 {
        let path = self.shared.connection.stats().path;
        let rtt_us = u64::try_from(path.rtt.as_micros()).unwrap_or(u64::MAX).max(1);
        path.cwnd.saturating_mul(1_000_000) / rtt_us
    }

    /// Bytes of UDP payload sent to the peer.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.shared.connection.stats().udp_tx.bytes
    }

    /// Bytes of UDP payload received from the peer.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.shared.connection.stats().udp_rx.bytes
    }

    /// Whether the link is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.connection.close_reason().is_some()
    }

    /// Ends the link at once; what is queued is not sent. The peer is told why.
    pub fn close(&self, why: CloseReason) {
        self.shared.connection.close(why.code().to_wire(), why.text().as_bytes());
    }

    /// Waits until the link is gone and says why.
    pub async fn closed(&self) -> Ended {
        self.shared.connection.closed().await.into()
    }

    fn error(&self) -> LinkError {
        let reason = self.shared.connection.close_reason();
        reason.map_or(Ended::Failed("the peer refused a lane".into()), Ended::from).into()
    }
}

/// Bytes of the body, and the room the frame takes.
fn measure(lane: Lane, parts: &[Bytes]) -> Result<(usize, u32), LinkError> {
    let bytes = parts.iter().map(Bytes::len).sum();
    let max = lane.frame_max_bytes();
    if bytes > max {
        return Err(LinkError::FrameTooLarge { bytes, max });
    }
    Ok((bytes, u32::try_from(bytes + FRAME_OVERHEAD_BYTES).expect("a frame is far below 4 GiB")))
}
