//! What is due, and when something will be.

use super::Node;
use super::peer::{ME, Peer, Slot};
use crate::input::Millis;
use crate::view::PeerState;
use crate::wire::Message;

impl Node {
    /// When [`Input::Tick`](crate::Input::Tick) is due at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Option<Millis> {
        let peers = self.peers.iter().filter(|(slot, _)| *slot != ME);
        let of_peers = peers.filter_map(|(_, peer)| self.peer_wake(peer)).min();
        let held_down = self.held_down.values().min().copied();
        let flush = self.hosting.next_wake();
        let all = [
            of_peers,
            held_down,
            flush,
            self.fetches.next_wake(),
            self.holders.next_wake(),
            self.outbox.unreadable.next_wake(),
            self.walk.next_wake(self.now),
            self.hosts.next_wake(),
            self.surplus.next_wake(self.now),
            self.copied.next_wake(),
            self.mending.next_wake(),
            self.unnamed.next_wake(),
            self.garbage_wake(),
            self.background.next_wake(self.now),
        ];
        all.into_iter().flatten().min()
    }

    fn peer_wake(&self, peer: &Peer) -> Option<Millis> {
        let Some(link) = &peer.link else {
            // Only becoming lost changes anything by itself.
            let lost = peer.state(self.now, &self.settings) == PeerState::Lost;
            let left = self.settings.lost_after_ms.saturating_sub(peer.silent(self.now));
            return (peer.hosts() && !lost).then_some(self.now + left);
        };
        if !link.greeted {
            return Some(link.hello.next);
        }
        let resend = link.log.awaits_receipt().then_some(link.log.resend.next);
        let care = [peer.comparing.next_wake(), peer.auditing.next_wake()].into_iter().flatten().min();
        [Some(link.beat.next), resend, link.push.next_wake(), care].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn on_time(&mut self) {
        for slot in self.peers.others() {
            self.peer_on_time(slot);
        }
        self.note_lost();
        self.end_hold_down();
        self.pump_flush();
        self.fetches_due();
        self.holders_due();
        self.look_at_unreadable();
        self.renew_receipts();
        self.look_for_damage_again();
        self.garbage_on_time();
    }

    fn peer_on_time(&mut self, slot: Slot) {
        let now = self.now;
        let Some(link) = &mut self.peers.get_mut(slot).link else { return };
        if !link.greeted {
            if now >= link.hello.next {
                self.say_hello(slot);
            }
            return;
        }
        link.push.on_time(now);
        if link.beat.take(now) {
            let digests = self.digests();
            self.send(slot, &Message::Beat(digests));
            self.tell_outline_digest(slot);
        }
        self.resend_log(slot);
        self.compare_on_time(slot);
        self.audit_on_time(slot);
    }
}
