//! Giving chunks to peers that read them.

use chunkstore::ChunkId;

use super::Node;
use super::jobs::{At, Waiting};
use super::peer::Slot;
use crate::input::Urgency;
use crate::output::{Job, JobResult, Priority};
use crate::wire::{Message, RawId, chunk_lane, part_length};

/// Chunks that one peer asked for and that are being read.
const READS_MAX: usize = 1024;

impl Node {
    pub(super) fn serve(&mut self, slot: Slot, id: RawId, now: bool) {
        let Some(link) = self.peers.link(slot) else { return };
        // Over the bound it is not answered: the peer asks somebody else in a moment.
        if link.guest.reads >= READS_MAX {
            return;
        }
        link.guest.reads += 1;
        if now {
            self.note_foreground();
        }
        let Some(link) = self.peers.link(slot) else { return };
        let at = (slot, link.generation);
        let peer = self.peers.get(slot).device;
        let (urgency, for_whom) =
            if now { (Urgency::Now, Priority::Reader) } else { (Urgency::Soon, Priority::ReadAhead) };
        let id = ChunkId(id);
        self.job(Job::Read { id, for_whom, peer }, Waiting::ServeRead { at, id, urgency });
    }

    pub(super) fn serve_read(&mut self, at: At, id: ChunkId, urgency: Urgency, result: JobResult) {
        let Some(link) = self.peers.link_of(at) else { return };
        link.guest.reads -= 1;
        match result {
            JobResult::Chunk(Some(bytes)) => {
                let message = Message::Chunk { id: id.0, bytes: part_length(&bytes) };
                self.send_parts(at.0, &message, chunk_lane(urgency), vec![bytes]);
            }
            result => {
                if matches!(result, JobResult::Failed) {
                    self.note_damage();
                }
                self.send(at.0, &Message::NotHere(id.0));
            }
        }
    }
}
