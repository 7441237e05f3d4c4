//! Which chunks that were put here are named by what is on disk here, and how far the own log names them: only then, and where other
//! computers have that log, may a copy here be given up.
//!
//! A chunk is put long before a version names it while a file is written for hours. Files that are open know theirs; all else that was
//! put before is named by the batch that is made next, or by nothing.

use std::collections::HashSet;

use chunkstore::ChunkId;
use parking_lot::Mutex;

use crate::content::overlay::Source;
use crate::core::Core;
use crate::node::Node;
use crate::{Drive, Error};

/// Questions that wait for the next batch; a group asks one at a time.
const QUESTIONS_MAX: usize = 16;

/// Which chunks are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Those of files that are open and not published: nothing names them yet.
    pub open: HashSet<ChunkId>,
    /// Own transactions up to this one, all durable here, name the others, or nothing ever will.
    pub sequence: u64,
}

/// Hears which chunks are named.
pub type NamedReply = Box<dyn FnOnce(Result<Named, Error>) + Send>;

/// Questions about what was looked for among open files and waits for a batch.
#[derive(Default)]
pub(crate) struct Naming(Mutex<Vec<Question>>);

pub(crate) struct Question {
    open: HashSet<ChunkId>,
    reply: NamedReply,
}

impl Naming {
    /// Those that a batch made from now on answers.
    pub(crate) fn take(&self) -> Vec<Question> {
        std::mem::take(&mut *self.0.lock())
    }

    /// That batch came to nothing: the next one may do.
    pub(crate) fn put_back(&self, questions: Vec<Question>) {
        self.0.lock().extend(questions);
    }
}

impl Drive {
    /// Answers which of `ids`, all put before this call, are named once the rest of what was done before is on disk. Nobody is hurried by it:
    /// that takes as long as a commit takes anyway.
    pub fn when_named(&self, ids: &[ChunkId], reply: NamedReply) {
        let open = self.core.open_chunks(ids);
        self.core.answer_when_named(Question { open, reply });
    }
}

impl Core {
    /// Which of these are chunks of files that were changed and are not published.
    fn open_chunks(&self, ids: &[ChunkId]) -> HashSet<ChunkId> {
        let asked: HashSet<&ChunkId> = ids.iter().collect();
        // A seal that begins later puts later.
        let ticket = self.tickets.load(std::sync::atomic::Ordering::Relaxed);
        let mut open = HashSet::new();
        for node in self.nodes.all() {
            each_open_chunk(&node, ticket, &mut |id| {
                if asked.contains(id) {
                    open.insert(*id);
                }
            });
        }
        open
    }

    fn answer_when_named(&self, question: Question) {
        // While a batch is on its way, what it took along is neither uncommitted nor on disk.
        let no_batch = self.commit_lock.lock();
        let no_record = self.journal.lock();
        let is_on_disk = !self.ledger.read().has_unkept();
        if !is_on_disk && self.failure().is_none() && self.naming.0.lock().len() < QUESTIONS_MAX {
            self.naming.0.lock().push(question);
            return;
        }
        drop((no_batch, no_record));
        if is_on_disk {
            self.answer_named(vec![question]);
        } else {
            (question.reply)(Err(Error::Io));
        }
    }

    /// What was done before these were asked is on disk.
    pub(crate) fn answer_named(&self, questions: Vec<Question>) {
        if questions.is_empty() {
            return;
        }
        let sequence = {
            let ledger = self.ledger.read();
            ledger.frontier().0.get(&ledger.device()).copied().unwrap_or(0)
        };
        for Question { open, reply } in questions {
            reply(Ok(Named { open, sequence }));
        }
    }
}

/// The chunks of a file that lie over its last version; those too that are being sealed with a smaller ticket.
fn each_open_chunk(node: &Node, ticket: u64, each: &mut dyn FnMut(&ChunkId)) {
    let mut state = node.lock();
    node.sealed.wait_while(&mut state, |state| {
        let segments = state.content.iter().flat_map(|content| content.overlay.iter());
        let early = |source: &Source| matches!(source, Source::Sealing { ticket: own, .. } if *own < ticket);
        segments.into_iter().any(|(_, segment)| early(&segment.source))
    });
    let Some(content) = &state.content else { return };
    for (_, segment) in content.overlay.iter() {
        if let Source::Chunk { chunk, .. } = &segment.source {
            each(&chunk.id);
        }
    }
}
