//! Tells listeners what changed under them.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use parking_lot::Mutex;

use crate::{Change, Reached};

/// Notices that wait for one listener at most; beyond that it is told [`Change::Lost`].
const CHANGES_WAITING_MAX: usize = 4096;

/// Longest wait for listeners.
const HANDLED_WITHIN: Duration = Duration::from_secs(2);

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

    /// Waits until every listener has handled what it was told so far, so that an answer given after this finds no old caches. Not
    /// for adapters' threads: a kernel may want an answer before it takes a notice.
    pub(crate) fn wait_until_handled(&self) {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        self.tell(&Change::Reached(Reached(sender)));
        // Nothing is ever sent: the channel ends when the last listener has dropped its end.
        if receiver.recv_timeout(HANDLED_WITHIN) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("a listener is slow: what it caches may be old for a while");
        }
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
    fn who_waits_goes_on_when_the_listener_has_come_so_far() {
        let changes = Changes::default();
        let receiver = changes.subscribe();
        changes.tell(&Change::Content(7));
        let handled = std::thread::spawn(move || {
            let mut handled = Vec::new();
            for change in receiver {
                let last = matches!(change, Change::Reached(_));
                handled.push(change);
                if last {
                    break;
                }
            }
            handled.len()
        });
        changes.wait_until_handled();
        assert_eq!(handled.join().unwrap(), 2);
        changes.wait_until_handled();
    }

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
