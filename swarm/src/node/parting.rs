//! Whether this device may go: what would be lost, or lack copies, without it.
//!
//! Who leaves says in its facts that it gives no room. Then others own what it owned, it offers them all it holds (outbox.rs), and
//! gives its copies up like any surplus (surplus.rs). What is judged here is only whether that is done.

use super::Node;
use super::peer::{ME, Slot};
use crate::view::Parting;

impl Node {
    pub(super) fn parting(&self) -> Parting {
        let others: Vec<Slot> = self.hosts.slots().iter().copied().filter(|slot| *slot != ME).collect();
        let owns = self.hosts.slots().contains(&ME);
        let known = self.walk.is_settled() && self.walk.is_idle() && !self.hosts.is_requeueing();
        // What left the outbox is on all its owners, and whoever became one since was offered it.
        let owned_by_others = self.hosts.fewest_owners() > usize::from(owns);
        let on_one = self.outbox.all_on_one_of(&others) && self.logs_on(&others, 1);
        let wanted = others.len().min(self.settings.copies()).max(self.settings.copies_min());
        let enough =
            self.hosts.fewest_owners() >= self.settings.copies_min() && self.logs_on(&others, wanted);
        Parting {
            hosts: others.len(),
            elsewhere: known && owned_by_others && on_one,
            given_over: known
                && !owns
                && enough
                && self.outbox.is_done()
                && self.unnamed.is_empty()
                && self.surplus.is_empty(),
        }
    }

    /// Whether all that is durable here of any log is on so many of these hosts, as they told.
    fn logs_on(&self, hosts: &[Slot], number: usize) -> bool {
        self.mine.0.iter().all(|(device, sequence)| {
            let has = |slot: &&Slot| self.peers.get(**slot).told.0.get(device) >= Some(sequence);
            hosts.iter().filter(has).count() >= number
        })
    }
}
