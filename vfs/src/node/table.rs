//! Which inodes are in use. Bounded by open handles and by the write buffer.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::{Node, State};
use crate::Ino;

/// All inodes in use.
#[derive(Default)]
pub(crate) struct NodeTable {
    nodes: Mutex<HashMap<Ino, Arc<Node>>>,
}

impl NodeTable {
    /// The node, if it is in use.
    pub(crate) fn get(&self, ino: Ino) -> Option<Arc<Node>> {
        self.nodes.lock().get(&ino).cloned()
    }

    /// Runs `act` on the locked state of the inode, taking it into use if need be.
    ///
    /// The node stays in the table only if `act` leaves it open or dirty.
    pub(crate) fn with<T>(&self, ino: Ino, act: impl FnOnce(&Arc<Node>, &mut State) -> T) -> T {
        loop {
            let node = self.nodes.lock().entry(ino).or_insert_with(|| Node::new(ino)).clone();
            let mut state = node.lock();
            if state.gone {
                continue;
            }
            let answer = act(&node, &mut state);
            self.release(&node, state);
            return answer;
        }
    }

    /// Lets go of a node that is neither open nor dirty nor about to be settled.
    pub(crate) fn release(&self, node: &Arc<Node>, mut state: MutexGuard<'_, State>) {
        if state.opens == 0
            && state.dirty.is_none()
            && !state.queued
            && state.seals_under_way == 0
            && !state.gone
        {
            state.gone = true;
            self.nodes.lock().remove(&node.ino);
        }
    }

    /// All nodes in use now.
    pub(crate) fn all(&self) -> Vec<Arc<Node>> {
        self.nodes.lock().values().cloned().collect()
    }
}
