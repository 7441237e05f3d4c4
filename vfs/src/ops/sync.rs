//! `fsync` and its kin.

use std::sync::Arc;

use chunkstore::ChunkId;

use crate::core::Core;
use crate::node::Node;
use crate::{Drive, Error, Handle, Ino, Reply};

impl Drive {
    /// Answers when everything written to the file so far, and its attributes, are on disk: here, or on as many computers as the
    /// workspace wants. [`Error::Io`] when those were not there in time; it is on this one then.
    pub fn fsync(&self, handle: Handle, _data_only: bool, reply: Reply<()>) {
        let core = self.core.clone();
        let file = match core.handles.file(handle) {
            Ok(file) => file,
            Err(error) => return reply(Err(error)),
        };
        let mut state = file.node.lock();
        if let Some(failure) = state.failure.take() {
            return reply(Err(failure));
        }
        // Rows that nobody has read back yet hold everything.
        let is_kept = state.rows_unread.is_some();
        if !is_kept && (state.dirty.is_some() || state.seals_under_way > 0) {
            if let Err(error) = core.load(file.node.ino, &mut state) {
                return reply(Err(core.not_now(error)));
            }
            // Rows are for this disk alone: what others should have is settled.
            let elsewhere = core.access.fsync_copies().is_some();
            if elsewhere || !Core::fits_in_rows(&mut state) {
                drop(state);
                let later = core.clone();
                let node = file.node.clone();
                let then = move |settled: Result<(), Error>| match later.settled_or_kept(&node, settled) {
                    Ok(()) if elsewhere && settled.is_err() => reply(Err(Error::Io)),
                    Ok(()) => later.make_durable_as_wanted(reply),
                    Err(error) => reply(Err(error)),
                };
                return core.settler.push(file.node.clone(), Some(Box::new(then)));
            }
            match core.keep_as_rows(file.node.ino, &mut state) {
                Ok(()) => {}
                Err(Error::Missing(id)) => {
                    drop(state);
                    return core.fsync_later(file.node.clone(), id, reply);
                }
                Err(error) => return reply(Err(error)),
            }
        }
        drop(state);
        core.make_durable_as_wanted(reply);
    }

    /// Answers when every change of names is on disk, as [`Drive::fsync`] does.
    pub fn fsync_dir(&self, _dir: Ino, reply: Reply<()>) {
        self.core.make_durable_as_wanted(reply);
    }

    /// Answers when everything written to any file is settled and on disk.
    pub fn sync_all(&self, reply: Reply<()>) {
        let outcome = self.core.settle_all();
        match outcome {
            Ok(()) => self.core.make_durable(reply),
            Err(error) => reply(Err(error)),
        }
    }
}

impl Core {
    /// A row holds one run of a block: what lies between two changes of one block has to come first.
    fn fsync_later(&self, node: Arc<Node>, id: ChunkId, reply: Reply<()>) {
        let keep = move |core: &Self| {
            let mut state = node.lock();
            // It may have been settled meanwhile.
            if state.dirty.is_some() { core.keep_as_rows(node.ino, &mut state) } else { Ok(()) }
        };
        let core = self.this.clone();
        let then = move |kept: Result<(), Error>| match (kept, core.upgrade()) {
            (Ok(()), Some(core)) => core.make_durable(reply),
            (kept, _) => reply(kept.and(Err(Error::Io))),
        };
        self.answer_later(id, keep, Box::new(then));
    }

    /// What lacks a chunk, or must not be published, is as good as settled when its changes are rows of the tree, which the next commit makes durable.
    pub(crate) fn settled_or_kept(&self, node: &Node, settled: Result<(), Error>) -> Result<(), Error> {
        match settled {
            Err(Error::Missing(_) | Error::ReadOnly) if node.lock().is_kept() => Ok(()),
            Err(Error::Missing(_)) => Err(Error::Io),
            settled => settled,
        }
    }

    /// Settles every unsettled file; the first failure is told after all were tried.
    pub(crate) fn settle_all(&self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for node in self.nodes.all() {
            if node.lock().dirty.is_some() {
                let settled = self.settle(&node);
                outcome = outcome.and(self.settled_or_kept(&node, settled));
            }
        }
        outcome
    }
}
