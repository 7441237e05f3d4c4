//! Moving names.

use ledger::{Entry, Ledger, Rename};

use super::lookup::check_name;
use crate::core::{Core, now};
use crate::{Drive, Error, Ino, Kind, RenameMode, Reply};

impl Drive {
    /// Moves a name; see [`RenameMode`] for a target that is taken. Answers later when a file with much unsettled content replaces
    /// another: the new content must be there before the old one goes, whatever happens in between.
    pub fn rename(
        &self,
        dir: Ino,
        name: &[u8],
        to_dir: Ino,
        to_name: &[u8],
        mode: RenameMode,
        reply: Reply<()>,
    ) {
        match self.core.make_safe_to_replace(dir, name, to_dir, to_name) {
            Ok(None) => reply(self.core.rename(dir, name, to_dir, to_name, mode)),
            Ok(Some(node)) => {
                let core = self.core.clone();
                let (name, to_name) = (name.to_vec(), to_name.to_vec());
                let kept = node.clone();
                self.core.settler.push(
                    node,
                    Some(Box::new(move |settled| {
                        let settled = core.settled_or_kept(&kept, settled);
                        reply(settled.and_then(|()| core.rename(dir, &name, to_dir, &to_name, mode)));
                    })),
                );
            }
            Err(error) => reply(Err(error)),
        }
    }
}

impl Core {
    /// Sees to it that a file about to replace another has its content in the same batch. A node is returned if it has to be
    /// settled first.
    fn make_safe_to_replace(
        &self,
        dir: Ino,
        name: &[u8],
        to_dir: Ino,
        to_name: &[u8],
    ) -> Result<Option<std::sync::Arc<crate::node::Node>>, Error> {
        let (source, target) = {
            let ledger = self.ledger.read();
            let wrong = |error| self.ledger_error(&error);
            (ledger.lookup(dir, name).map_err(wrong)?, ledger.lookup(to_dir, to_name).map_err(wrong)?)
        };
        let (Some(source), Some(_)) = (source, target) else { return Ok(None) };
        let Some(node) = self.nodes.get(source.ino) else { return Ok(None) };
        let mut state = node.lock();
        if state.dirty.is_none() {
            return Ok(None);
        }
        self.load_now(node.ino, &mut state)?;
        if Self::fits_in_rows(&mut state) {
            match self.keep_as_rows(node.ino, &mut state) {
                // What lies between two changes of a block is elsewhere.
                Err(Error::Missing(_)) => {}
                kept => return kept.map(|()| None),
            }
        }
        drop(state);
        Ok(Some(node))
    }

    fn rename(
        &self,
        dir: Ino,
        name: &[u8],
        to_dir: Ino,
        to_name: &[u8],
        mode: RenameMode,
    ) -> Result<(), Error> {
        check_name(name)?;
        check_name(to_name)?;
        self.changeable()?;
        let replaced = {
            let mut ledger = self.ledger.write();
            let wrong = |error| self.ledger_error(&error);
            self.open_directory(&ledger, to_dir)?;
            let Some(source) = ledger.lookup(dir, name).map_err(wrong)? else {
                return Err(self.missing_in(&ledger, dir));
            };
            let target = ledger.lookup(to_dir, to_name).map_err(wrong)?;
            let how = match (mode, &target) {
                (RenameMode::NoReplace, Some(_)) => return Err(Error::Exists),
                (RenameMode::Exchange, None) => return Err(Error::NotFound),
                (RenameMode::Exchange, Some(_)) => Rename::Exchange,
                (RenameMode::Replace | RenameMode::NoReplace, _) => Rename::Replace,
            };
            if target.as_ref().is_some_and(|target| target.ino == source.ino) {
                return Ok(());
            }
            self.check_loop(&ledger, &source, to_dir)?;
            match (&target, how) {
                (Some(target), Rename::Exchange) => self.check_loop(&ledger, target, dir)?,
                (Some(target), Rename::Replace) => self.check_replace(&ledger, &source, target)?,
                (None, _) => {}
            }
            let gone = ledger
                .rename(now(), (dir, name), (to_dir, to_name), how)
                .map_err(wrong)?
                .replaced
                .filter(|gone| gone.nlink_left == 0);
            if let Some(gone) = &gone {
                self.drop_dirty_rows(&mut ledger, gone.ino)?;
            }
            gone
        };
        if let Some(gone) = replaced {
            self.let_go(gone.ino);
        }
        self.committer.wake();
        Ok(())
    }

    fn check_replace(&self, ledger: &Ledger, source: &Entry, target: &Entry) -> Result<(), Error> {
        match (source.kind == Kind::Directory, target.kind == Kind::Directory) {
            (true, false) => Err(Error::NotDirectory),
            (false, true) => Err(Error::IsDirectory),
            _ => self.check_empty(ledger, target.ino, target.kind),
        }
    }

    /// A directory may not move into itself.
    fn check_loop(&self, ledger: &Ledger, moved: &Entry, to_dir: Ino) -> Result<(), Error> {
        if moved.kind != Kind::Directory {
            return Ok(());
        }
        let mut at = to_dir;
        while at != crate::ROOT {
            if at == moved.ino {
                return Err(Error::Invalid);
            }
            let above = ledger.parents(at).map_err(|error| self.ledger_error(&error))?;
            at = above.first().map_or(crate::ROOT, |(parent, _)| *parent);
        }
        Ok(())
    }
}
