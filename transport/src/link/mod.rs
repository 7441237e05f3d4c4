//! A link: frames on four lanes to one member, both ways.
//!
//! ```text
//!  send(lane, parts) ─▶ queue (bytes) ─▶ writer ─▶ QUIC stream ═══▶ reader ─▶ inbox (bytes) ─▶ recv()
//!                       one of each per lane                        one of each per lane
//! ```
//!
//! A slow receiver fills its inbox, then QUIC's window of that lane, then the sender's queue; then `send` waits. The
//! windows of all lanes fit into that of the connection, so a full lane never blocks another.

mod buffers;
mod inbox;
mod reader;
mod sender;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use quinn::{Connection, ConnectionError, SendStream};
use tokio::sync::Notify;

pub use buffers::release_memory;
pub use sender::{LinkSender, TrySendError};

use crate::close::{CloseCode, Ended};
use crate::counts::Tally;
use crate::key::PeerKey;
use crate::lane::{LANES, Lane};
use crate::pace::{Limits, Pace};
use crate::relay::{Carrier, Relays};
use inbox::Inbox;

/// A connection to a member. Dropping the receiver closes it.
pub struct Link {
    /// What is said.
    pub sender: LinkSender,
    /// What is heard.
    pub receiver: LinkReceiver,
}

/// Why a frame did not go out or none came in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The link is gone.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// The frame is larger than its lane allows; it was not sent and the link lives on.
    #[error("a frame of {bytes} bytes is too large for its lane, which takes {max}")]
    FrameTooLarge {
        /// Bytes of the frame's body.
        bytes: usize,
        /// Most that the lane takes.
        max: usize,
    },
}

static NEXT_LINK: AtomicU64 = AtomicU64::new(1);

/// What all links of an endpoint share.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) limits: Arc<Limits>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) relays: Arc<Relays>,
}

/// What sender, receiver and their tasks share.
pub(crate) struct Shared {
    pub(crate) id: u64,
    pub(crate) peer: PeerKey,
    pub(crate) connection: Connection,
    pub(crate) pace: Pace,
    pub(crate) tally: Arc<Tally>,
    /// The link to the relay that it goes through.
    pub(crate) through: Option<Arc<Carrier>>,
}

/// The sending halves of the lanes, in the lanes' order. Waits until the peer grants them, which it does when it
/// admits this device.
pub(crate) async fn open_lanes(connection: &Connection) -> Result<Vec<SendStream>, ConnectionError> {
    let mut streams = Vec::with_capacity(LANES.len());
    for _ in LANES {
        streams.push(connection.open_uni().await?);
    }
    Ok(streams)
}

impl Link {
    pub(crate) fn start(
        connection: Connection,
        peer: PeerKey,
        streams: Vec<SendStream>,
        through: Option<Arc<Carrier>>,
        around: &Surroundings,
    ) -> Self {
        let id = NEXT_LINK.fetch_add(1, Ordering::Relaxed);
        let pace = Pace::new(Arc::clone(&around.limits));
        let tally = Arc::clone(&around.tally);
        let shared = Arc::new(Shared { id, peer, connection, pace, tally, through });
        match &shared.through {
            Some(carrier) => drop(tokio::spawn(end_with(
                Arc::clone(carrier),
                around.relays.absence(carrier.address_of(&peer)),
                shared.connection.clone(),
            ))),
            None => around.relays.carry(Arc::clone(&shared)),
        }
        let inbox = Arc::new(Inbox::new());
        let (sender, rooms) = LinkSender::start(&shared, streams);
        let accepting = reader::accept_lanes(Arc::clone(&shared), Arc::clone(&inbox));
        tokio::spawn(async move {
            accepting.await;
            // Whoever waits to send, or tries to, hears at once that the link is gone.
            rooms.iter().for_each(|room| room.close());
        });
        Self { sender, receiver: LinkReceiver { shared, inbox } }
    }
}

/// Ends a relayed connection at once when nothing can come of it any more.
async fn end_with(carrier: Arc<Carrier>, absence: Arc<Notify>, connection: Connection) {
    tokio::select! {
        _ = carrier.link.connection.closed() => {}
        () = absence.notified() => {}
        _ = connection.closed() => return,
    }
    connection.close(CloseCode::Done.to_wire(), b"");
}

/// The receiving side of a link.
pub struct LinkReceiver {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
}

impl LinkReceiver {
    /// The next frame: that of the first lane that has one. May be cancelled without losing a frame.
    ///
    /// # Errors
    /// [`LinkError::Ended`] when the link is gone and every frame that had arrived was handed out.
    pub async fn recv(&mut self) -> Result<(Lane, Bytes), LinkError> {
        loop {
            if let Some(frame) = self.inbox.take() {
                return Ok(frame);
            }
            tokio::select! {
                () = self.inbox.arrived() => {}
                ended = self.shared.connection.closed() => {
                    return self.inbox.take().ok_or_else(|| Ended::from(ended).into());
                }
            }
        }
    }

    /// Frames that have arrived and were not taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inbox.waiting()
    }

    /// The device at the other end.
    #[must_use]
    pub fn peer(&self) -> PeerKey {
        self.shared.peer
    }
}

impl Drop for LinkReceiver {
    fn drop(&mut self) {
        self.shared.connection.close(CloseCode::Done.to_wire(), b"");
    }
}
