//! Machines that start and crash, and the cables between them.

use ledger::identity::DeviceId;
use swarm::{Input, Node, Settings};

use crate::cast::CAST;
use crate::machine::Machine;
use crate::world::World;

impl World {
    /// Starts a machine, for the first time or again.
    pub fn boot(&mut self, index: usize) {
        self.say(&format!("{index} starts"));
        let (members, seed) = (self.members(index), self.random.next());
        let machine = &mut self.machines[index];
        machine.members.clone_from(&members);
        machine.up = true;
        machine.safe_through = 0;
        let settings = Settings { copies: machine.placed_for, ..self.settings.clone() };
        machine.node = Node::new(machine.device(), CAST.keyring.workspace, settings, seed);
        let copies = machine.log.roster().policy().copies;
        let known = machine.known.values().cloned().collect();
        // As a driver does: that it leaves must make a difference to the first tables.
        let leaves = std::mem::take(&mut machine.leaves);
        let facts = machine.facts(self.now);
        let (digest, frontier) = (machine.log.roster_digest(), machine.log.frontier());
        machine.told_roster = digest;
        let outlines = machine.log.outline_counters();
        let first = [
            Input::Members(members),
            Input::OwnFacts(facts),
            Input::KnownFacts(known),
            Input::Copies(copies),
            Input::RosterDigest(digest),
            Input::LogAdvanced { frontier },
            Input::Outlined(outlines),
        ];
        first.into_iter().for_each(|input| self.feed(index, input));
        self.feed(index, Input::Damaged);
        for device in self.dead() {
            self.feed(index, Input::DeclareLost { device });
        }
        if leaves {
            self.machines[index].leaves = true;
            let facts = self.machines[index].facts(self.now);
            self.feed(index, Input::OwnFacts(facts));
        }
        self.dial_all(index);
    }

    /// Devices that never come back. The driver keeps who was declared lost.
    fn dead(&self) -> Vec<DeviceId> {
        let dead = self.machines.iter().filter(|machine| machine.declared_lost);
        dead.map(Machine::device).collect()
    }

    pub fn dial_all(&mut self, index: usize) {
        for other in 0..self.machines.len() {
            if other != index {
                self.dial(index.min(other), index.max(other));
            }
        }
    }

    pub fn dial(&mut self, a: usize, b: usize) {
        let able = self.machines[a].up && self.machines[b].up && self.wires[a][b].whole;
        let members = self.knows(a, b) && self.knows(b, a);
        if !able || !members || self.wires[a][b].connected {
            return;
        }
        for (from, to) in [(a, b), (b, a)] {
            let wire = &mut self.wires[from][to];
            (wire.epoch, wire.connected) = (wire.epoch + 1, true);
        }
        for (from, to) in [(a, b), (b, a)] {
            let (peer, rtt_ms) = (self.machines[to].device(), 2 * self.wires[from][to].latency);
            self.feed(from, Input::Connected { peer, rtt_ms });
        }
    }

    /// Whether this machine lets the other one in.
    pub fn knows(&self, index: usize, other: usize) -> bool {
        let device = self.machines[other].device();
        self.machines[index].members.iter().any(|member| member.device == device)
    }

    pub fn hang_up(&mut self, a: usize, b: usize) {
        if !std::mem::take(&mut self.wires[a][b].connected) {
            return;
        }
        self.wires[b][a].connected = false;
        for (from, to) in [(a, b), (b, a)] {
            if self.machines[from].up {
                let peer = self.machines[to].device();
                self.feed(from, Input::Disconnected { peer });
            }
        }
    }

    pub fn crash(&mut self, index: usize) {
        self.say(&format!("{index} crashes"));
        self.tally.crashes += 1;
        let now = self.now;
        self.machines[index].crash(now);
        (0..self.machines.len()).filter(|other| *other != index).for_each(|other| self.hang_up(index, other));
    }

    /// Makes or breaks the cable between two machines.
    pub fn cable(&mut self, a: usize, b: usize, whole: bool) {
        (self.wires[a][b].whole, self.wires[b][a].whole) = (whole, whole);
        if whole {
            self.dial(a.min(b), a.max(b));
        } else {
            self.hang_up(a, b);
        }
    }
}
