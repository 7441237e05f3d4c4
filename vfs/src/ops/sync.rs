//! `fsync` and its kin.

use crate::core::Core;
use crate::{Drive, Error, Handle, Ino, Reply};

impl Drive {
    /// Answers when everything written to the file so far, and its attributes, are on disk.
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
        if state.dirty.is_some() || state.seals_under_way > 0 {
            if let Err(error) = core.load(file.node.ino, &mut state) {
                return reply(Err(error));
            }
            if !Core::fits_in_rows(&mut state) {
                drop(state);
                let later = core.clone();
                let then = move |settled: Result<(), Error>| match settled {
                    Ok(()) => later.make_durable(reply),
                    Err(error) => reply(Err(error)),
                };
                return core.settler.push(file.node.clone(), Some(Box::new(then)));
            }
            if let Err(error) = core.keep_as_rows(file.node.ino, &mut state) {
                return reply(Err(error));
            }
        }
        drop(state);
        core.make_durable(reply);
    }

    /// Answers when every change of names is on disk.
    pub fn fsync_dir(&self, _dir: Ino, reply: Reply<()>) {
        self.core.make_durable(reply);
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
    /// Settles every unsettled file; the first failure is told after all were tried.
    pub(crate) fn settle_all(&self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for node in self.nodes.all() {
            if node.lock().dirty.is_some() {
                let settled = self.settle(&node);
                outcome = outcome.and(settled);
            }
        }
        outcome
    }
}
