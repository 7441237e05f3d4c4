//! Puts the queued frames of one lane on its stream.

use std::sync::Arc;

use bytes::Bytes;
use quinn::{SendStream, WriteError};
use tokio::sync::{Semaphore, mpsc};

use super::Shared;
use super::sender::Queued;
use crate::close::CloseCode;
use crate::lane::Lane;
use crate::pace::Way;

/// Bytes written to QUIC at once, so that many small frames cost few calls.
const BATCH_BYTES: usize = 256 << 10;
/// Frames of one batch.
const BATCH_FRAMES: usize = 128;

pub(super) async fn write_lane(
    shared: Arc<Shared>,
    lane: Lane,
    mut stream: SendStream,
    mut queued: mpsc::UnboundedReceiver<Queued>,
    room: Arc<Semaphore>,
) {
    let outcome = write_frames(&shared, lane, &mut stream, &mut queued).await;
    // Wakes whoever waits for room: there will be none.
    room.close();
    if let Err(WriteError::Stopped(_)) = outcome {
        shared.connection.close(CloseCode::Protocol.to_wire(), b"a lane was refused");
    }
}

/// Ends when every sender is dropped and all frames are written.
async fn write_frames(
    shared: &Shared,
    lane: Lane,
    stream: &mut SendStream,
    queued: &mut mpsc::UnboundedReceiver<Queued>,
) -> Result<(), WriteError> {
    // Fails only on a stream that is closed, and then the next write says so.
    let _ = stream.set_priority(lane.quic_priority());
    stream.write_all(&lane.header()).await?;
    let mut batch = Vec::with_capacity(BATCH_FRAMES);
    while queued.recv_many(&mut batch, BATCH_FRAMES).await > 0 {
        write_batch(shared, lane, stream, batch.drain(..)).await?;
    }
    let _ = stream.finish();
    let _ = stream.stopped().await;
    Ok(())
}

async fn write_batch(
    shared: &Shared,
    lane: Lane,
    stream: &mut SendStream,
    frames: impl Iterator<Item = Queued>,
) -> Result<(), WriteError> {
    let (mut pieces, mut waiting, mut rooms) = (Vec::new(), 0, Vec::new());
    for frame in frames {
        let header = u32::try_from(frame.bytes).expect("the sender checked the length").to_be_bytes();
        pieces.push(Bytes::copy_from_slice(&header));
        pieces.extend(frame.parts);
        waiting += frame.bytes + header.len();
        rooms.push(frame._room);
        if waiting >= BATCH_BYTES {
            write_paced(shared, lane, stream, std::mem::take(&mut pieces)).await?;
            rooms.clear();
            waiting = 0;
        }
    }
    write_paced(shared, lane, stream, pieces).await
}

async fn write_paced(
    shared: &Shared,
    lane: Lane,
    stream: &mut SendStream,
    pieces: Vec<Bytes>,
) -> Result<(), WriteError> {
    let step = shared.pace.piece_bytes(lane);
    if step == usize::MAX {
        return write(shared, lane, stream, pieces).await;
    }
    for mut piece in pieces {
        while !piece.is_empty() {
            let now = piece.split_to(piece.len().min(step));
            write(shared, lane, stream, vec![now]).await?;
        }
    }
    Ok(())
}

async fn write(
    shared: &Shared,
    lane: Lane,
    stream: &mut SendStream,
    mut pieces: Vec<Bytes>,
) -> Result<(), WriteError> {
    shared.pace.pass(Way::Up, lane, pieces.iter().map(Bytes::len).sum()).await;
    stream.write_all_chunks(&mut pieces).await
}
