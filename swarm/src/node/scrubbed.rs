//! How the reading of all chunks went on each device: told by the device itself to those it is linked with, when a link is up and
//! whenever it changed. Nobody passes it on, and nothing depends on it: it is for people.

use super::Node;
use super::peer::Slot;
use crate::view::Scrubbed;
use crate::wire::{CAN_HEAR_SCRUBBED, Message};

impl Node {
    pub(super) fn take_own_scrubbed(&mut self, scrubbed: Scrubbed) {
        if self.scrubbed.replace(scrubbed) != Some(scrubbed) {
            for slot in self.peers.greeted() {
                self.tell_scrubbed(slot);
            }
        }
    }

    pub(super) fn tell_scrubbed(&mut self, slot: Slot) {
        let hears = self.peers.link(slot).is_some_and(|link| link.capabilities & CAN_HEAR_SCRUBBED != 0);
        if let Some(scrubbed) = self.scrubbed.filter(|_| hears) {
            self.send(slot, &Message::Scrubbed(scrubbed));
        }
    }

    pub(super) fn take_scrubbed(&mut self, slot: Slot, scrubbed: Scrubbed) {
        self.peers.get_mut(slot).scrubbed = Some(scrubbed);
    }
}
