//! What is told of an exchange: names first, then what lies behind them, all in one notice however much it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledger::Changed;

use crate::Change;
use crate::core::Core;

/// The notices of what changed.
pub(super) fn of(changed: &Changed) -> Vec<Change> {
    let mut notices = Vec::with_capacity(changed.names.len() + changed.inodes.len());
    let names: BTreeSet<_> = changed.names.iter().collect();
    notices.extend(names.into_iter().map(|(dir, name)| Change::Entry { dir: *dir, name: name.clone() }));
    let contents: BTreeSet<_> = changed.contents.iter().copied().collect();
    for ino in &changed.inodes {
        notices.push(if contents.contains(ino) { Change::Content(*ino) } else { Change::Attributes(*ino) });
    }
    notices
}

impl Core {
    /// Tells the listeners, in one notice.
    pub(crate) fn tell_all(&self, notices: Vec<Change>) {
        if !notices.is_empty() {
            self.changes.tell(&Change::Many(Arc::from(notices)));
        }
    }
}
