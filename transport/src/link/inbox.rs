//! Frames that arrived and wait to be taken, bounded in bytes for each lane.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::lane::{FRAME_OVERHEAD_BYTES, LANES, Lane};

/// A frame and the room it takes, given back when the frame is taken.
type Waiting = (Bytes, OwnedSemaphorePermit);

pub(super) struct Inbox {
    lanes: Mutex<[VecDeque<Waiting>; LANES.len()]>,
    room: [Arc<Semaphore>; LANES.len()],
    arrived: Notify,
}

/// Room for one frame in the inbox.
pub(super) type Room = OwnedSemaphorePermit;

impl Inbox {
    pub(super) fn new() -> Self {
        let room = LANES.map(|lane| Arc::new(Semaphore::new(lane.waiting_max_bytes())));
        Self { lanes: Mutex::default(), room, arrived: Notify::new() }
    }

    /// Waits until a frame with a body of so many bytes fits.
    pub(super) async fn room(&self, lane: Lane, bytes: usize) -> Room {
        let room = Arc::clone(&self.room[lane.index()]);
        let permits = u32::try_from(bytes + FRAME_OVERHEAD_BYTES).expect("a frame is far below 4 GiB");
        room.acquire_many_owned(permits).await.expect("the inbox never closes its room")
    }

    pub(super) fn put(&self, lane: Lane, frame: Bytes, room: Room) {
        self.lanes.lock()[lane.index()].push_back((frame, room));
        self.arrived.notify_one();
    }

    pub(super) fn take(&self) -> Option<(Lane, Bytes)> {
        let mut lanes = self.lanes.lock();
        LANES.into_iter().find_map(|lane| lanes[lane.index()].pop_front().map(|(frame, _)| (lane, frame)))
    }

    pub(super) fn waiting(&self) -> usize {
        self.lanes.lock().iter().map(VecDeque::len).sum()
    }

    /// Waits for a frame that came after the last call.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}
