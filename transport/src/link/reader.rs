//! Takes a peer's lanes apart into frames.
//!
//! ```text
//!  stream ─▶ header: which lane? ─▶ length ≤ the lane's? ─▶ room in the inbox? ─▶ memory ─▶ body ─▶ inbox
//! ```

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use quinn::{ReadError, RecvStream};

use super::Shared;
use super::buffers::Buffer;
use super::inbox::Inbox;
use crate::close::CloseCode;
use crate::lane::{FRAME_HEADER_BYTES, LANE_HEADER_BYTES, LANES, Lane, Violation};
use crate::pace::Way;

/// Pieces taken from QUIC at once; each is at most one packet's.
const PIECES: usize = 32;

/// Takes the lanes the peer opens; QUIC grants it no more than there are at once. Ends with the connection.
pub(super) async fn accept_lanes(shared: Arc<Shared>, inbox: Arc<Inbox>) {
    let opened = Arc::new(Mutex::new([false; LANES.len()]));
    while let Ok(stream) = shared.connection.accept_uni().await {
        tokio::spawn(read_lane(Arc::clone(&shared), Arc::clone(&inbox), Arc::clone(&opened), stream));
    }
}

async fn read_lane(
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    opened: Arc<Mutex<[bool; LANES.len()]>>,
    stream: RecvStream,
) {
    let mut lane_bytes = LaneBytes::new(stream);
    let outcome = match lane_bytes.lane().await {
        Ok(lane) if std::mem::replace(&mut opened.lock()[lane.index()], true) => {
            Err(Stop::Violation(Violation::LaneTwice))
        }
        Ok(lane) => read_frames(&shared, &inbox, lane, &mut lane_bytes).await,
        Err(stop) => Err(stop),
    };
    if let Err(Stop::Violation(violation)) = outcome {
        refuse(&shared, violation);
    }
}

fn refuse(shared: &Shared, violation: Violation) {
    shared.tally.violation(violation);
    tracing::warn!(
        peer = %shared.peer, address = %shared.connection.remote_address(),
        "closing the connection: {}", violation.text()
    );
    shared.connection.close(CloseCode::Protocol.to_wire(), violation.text().as_bytes());
}

async fn read_frames(
    shared: &Shared,
    inbox: &Inbox,
    lane: Lane,
    lane_bytes: &mut LaneBytes,
) -> Result<(), Stop> {
    loop {
        let mut header = [0; FRAME_HEADER_BYTES];
        lane_bytes.fill(&mut header).await?;
        let length = lane.checked_length(header).map_err(Stop::Violation)?;
        let room = inbox.room(lane, length).await;
        let body = read_body(shared, lane, lane_bytes, length).await?;
        inbox.put(lane, body, room);
    }
}

/// A body in memory of its own: a piece kept for long would keep the whole batch of packets it came in.
async fn read_body(
    shared: &Shared,
    lane: Lane,
    lane_bytes: &mut LaneBytes,
    length: usize,
) -> Result<Bytes, Stop> {
    let mut body = Buffer::take(length);
    while body.len() < length {
        let step = (length - body.len()).min(shared.pace.piece_bytes(lane));
        lane_bytes.append(&mut body, step).await?;
        shared.pace.pass(Way::Down, lane, step).await;
    }
    Ok(body.freeze())
}

/// Why reading a lane stopped.
enum Stop {
    /// The stream or the connection is over.
    Over,
    Violation(Violation),
}

impl From<ReadError> for Stop {
    fn from(_: ReadError) -> Self {
        Self::Over
    }
}

/// The bytes of a lane, with the few that QUIC gave beyond what was asked.
struct LaneBytes {
    stream: RecvStream,
    pieces: [Bytes; PIECES],
    /// The first piece that is not used up.
    at: usize,
}

impl LaneBytes {
    fn new(stream: RecvStream) -> Self {
        Self { stream, pieces: std::array::from_fn(|_| Bytes::new()), at: PIECES }
    }

    async fn lane(&mut self) -> Result<Lane, Stop> {
        let mut header = [0; LANE_HEADER_BYTES];
        self.fill(&mut header).await?;
        Lane::of_header(&header).map_err(Stop::Violation)
    }

    async fn fill(&mut self, mut out: &mut [u8]) -> Result<(), Stop> {
        while !out.is_empty() {
            let piece = self.next(out.len()).await?;
            let (now, rest) = out.split_at_mut(piece.len());
            now.copy_from_slice(&piece);
            out = rest;
        }
        Ok(())
    }

    async fn append(&mut self, out: &mut Buffer, mut bytes: usize) -> Result<(), Stop> {
        while bytes > 0 {
            let piece = self.next(bytes).await?;
            out.extend(&piece);
            bytes -= piece.len();
        }
        Ok(())
    }

    /// At least one byte and at most so many.
    async fn next(&mut self, at_most: usize) -> Result<Bytes, Stop> {
        loop {
            while let Some(piece) = self.pieces.get_mut(self.at) {
                if !piece.is_empty() {
                    return Ok(piece.split_to(piece.len().min(at_most)));
                }
                self.at += 1;
            }
            self.refill().await?;
        }
    }

    async fn refill(&mut self) -> Result<(), Stop> {
        // What the last call left behind must not be taken for new.
        self.pieces.fill(Bytes::new());
        self.stream.read_chunks(&mut self.pieces).await?.ok_or(Stop::Over)?;
        self.at = 0;
        Ok(())
    }
}
