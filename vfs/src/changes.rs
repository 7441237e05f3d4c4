//! Tells listeners what changed under them.

use crossbeam_channel::{Receiver, Sender, TrySendError};
use parking_lot::Mutex;

use crate::Change;

/// Notices that wait for one listener at most; beyond that it is told [`Change::Lost`].
const CHANGES_WAITING_MAX: usize = 4096;

/// The listeners.
#[derive(Default)]
pub(crate) struct Changes {
    listeners: Mutex<Vec<Listener>>,
}

struct Listener {
    sender: Sender<Change>,
    lost: bool,
}

impl Changes {
    /// A new listener.
    pub(crate) fn subscribe(&self) -> Receiver<Change> {
        let (sender, receiver) = crossbeam_channel::bounded(CHANGES_WAITING_MAX);
        self.listeners.lock().push(Listener { sender, lost: false });
        receiver
    }

    /// Tells every listener; one that is full learns that it missed something as soon as there is room.
    pub(crate) fn tell(&self, change: &Change) {
        self.listeners.lock().retain_mut(|listener| {
            if listener.lost {
                match listener.sender.try_send(Change::Lost) {
                    Ok(()) => listener.lost = false,
                    Err(TrySendError::Full(_)) => return true,
                    Err(TrySendError::Disconnected(_)) => return false,
                }
            }
            match listener.sender.try_send(change.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    listener.lost = true;
                    true
                }
                Err(TrySendError::Disconnected(_)) => false,
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_listener_learns_that_it_missed_something() {
        let changes = Changes::default();
        let receiver = changes.subscribe();
        for ino in 0..CHANGES_WAITING_MAX as u64 + 5 {
            changes.tell(&Change::Content(ino));
        }
        assert_eq!(receiver.try_iter().count(), CHANGES_WAITING_MAX);
        changes.tell(&Change::Attributes(1));
        let rest: Vec<Change> = receiver.try_iter().collect();
        assert_eq!(rest, [Change::Lost, Change::Attributes(1)]);
    }
}
