//! What goes wrong with disks and clocks, and who comes and goes for good.
//!
//! No fault takes the last good copy of what was called safe: that nothing else is ever lost is what the verdict looks for.

use std::collections::BTreeSet;

use chunkstore::ChunkId;
use ledger::CLOCK_AHEAD_MAX_MS;
use swarm::Input;

use crate::log::{added, dropped};
use crate::machine::Machine;
use crate::world::{Kept, World};

/// Clocks are off by up to so much: between any two of them it is less than what one believes of the other.
pub const AHEAD_MAX_MS: u64 = CLOCK_AHEAD_MAX_MS * 2 / 5;
const YEAR_MS: i64 = 365 * 24 * 3_600_000;
/// Most chunks that go bad at a time.
const BAD_MAX: u64 = 20;
/// So many may go for good in one world, of which so many must stay.
const GONE_MAX: usize = 2;
const HOSTS_LEFT: usize = 3;

impl World {
    /// A disk or a clock gives trouble.
    pub fn spoil_something(&mut self) {
        let index = self.random.index(self.machines.len());
        if !self.machines[index].up {
            return;
        }
        match self.random.below(8) {
            0..=1 => self.damage_some(index),
            2..=3 => self.rot_some(index),
            4 => self.wipe(index),
            5 => self.fill(index),
            6 => self.turn_back(index),
            _ => self.drift(index),
        }
    }

    fn damage_some(&mut self, index: usize) {
        for id in self.some_spare(index) {
            self.tally.chunks_gone_bad += 1;
            self.machines[index].disk.damage(id);
        }
        self.feed(index, Input::Damaged);
    }

    fn rot_some(&mut self, index: usize) {
        for id in self.some_spare(index) {
            self.tally.chunks_rotten_in_silence += 1;
            self.machines[index].disk.rot(id);
        }
    }

    /// A few chunks of a machine of which there are good copies elsewhere.
    fn some_spare(&mut self, index: usize) -> Vec<ChunkId> {
        let held = &self.machines[index].disk;
        let good = held.chunks.keys().filter(|id| held.durable(id)).copied();
        let mut spare: Vec<_> = good.filter(|id| self.is_kept_beside(index, id)).collect();
        let count = usize::try_from(self.random.below(BAD_MAX)).unwrap().min(spare.len());
        let some: Vec<_> = (0..count).map(|_| spare.swap_remove(self.random.index(spare.len()))).collect();
        let sizes = some.iter().map(|id| self.machines[index].disk.chunks[id].bytes.len());
        self.taken_bytes += sizes.sum::<usize>();
        some
    }

    /// Whether somebody else keeps a good copy.
    fn is_kept_beside(&self, index: usize, id: &ChunkId) -> bool {
        let others = self.machines.iter().filter(|machine| machine.index != index && !machine.destroyed);
        others.filter(|machine| self.is_member(machine.index)).any(|machine| machine.disk.keeps(id))
    }

    /// Whether all that was called safe, by anybody, has a good copy without this machine, and so has all that went bad elsewhere.
    fn is_spare(&self, index: usize) -> bool {
        let safe = self.machines.iter().flat_map(Machine::acknowledged);
        let bad = self.machines.iter().flat_map(|machine| machine.disk.bad_ids());
        let held = &self.machines[index].disk.chunks;
        safe.chain(bad).all(|id| !held.contains_key(id) || self.is_kept_beside(index, id))
    }

    /// The folder with the chunks is emptied while the machine is off.
    fn wipe(&mut self, index: usize) {
        if !self.is_spare(index) {
            return;
        }
        self.say(&format!("{index} is wiped"));
        self.tally.disks_wiped += 1;
        self.crash(index);
        self.give_up_copies(index);
        self.machines[index].wipe();
        self.boot(index);
    }

    /// Notes what dies with this machine's chunks, and what must be sent again.
    pub fn give_up_copies(&mut self, index: usize) {
        self.taken_bytes += self.machines[index].disk.used;
        let ids: BTreeSet<_> = self.machines[index].disk.chunks.keys().copied().collect();
        let lost: Vec<_> = ids.into_iter().filter(|id| !self.is_kept_beside(index, id)).collect();
        self.tally.chunks_lost_before_they_were_safe += lost.len() as u64;
        self.spoiled.extend(lost);
    }

    /// Whether room is scarce in this world.
    fn is_tight(&self) -> bool {
        self.seed.is_multiple_of(3) || self.machines.iter().any(|machine| machine.kind.room < usize::MAX)
    }

    /// Other data takes all the room there was.
    fn fill(&mut self, index: usize) {
        if !self.is_tight() {
            return;
        }
        let disk = &mut self.machines[index].disk;
        if disk.limit > disk.used {
            disk.limit = disk.used;
            self.say(&format!("{index} has no more room"));
        }
    }

    /// The clock falls back by a year, as one without a battery does.
    fn turn_back(&mut self, index: usize) {
        self.say(&format!("the clock of {index} falls back"));
        self.tally.clocks_a_year_back += 1;
        self.machines[index].ahead_ms -= YEAR_MS;
    }

    fn drift(&mut self, index: usize) {
        self.tally.clocks_a_little_off += 1;
        self.machines[index].ahead_ms = some_drift(self.random.below(2 * AHEAD_MAX_MS));
    }

    /// Somebody joins, leaves, or is gone.
    pub fn change_who_is_there(&mut self) {
        let index = self.random.index(self.machines.len());
        match self.random.below(3) {
            0 => self.join_somebody(),
            1 => self.die(index),
            _ => self.remove_somebody(index),
        }
    }

    /// A member invites a machine that has never been there.
    fn join_somebody(&mut self) {
        let Some(newcomer) = self.machines.iter().position(|machine| !machine.joined) else { return };
        let Some(by) = self.someone_up() else { return };
        if self.members(by).len() > 1 {
            self.join(by, newcomer);
        }
    }

    pub fn join(&mut self, by: usize, newcomer: usize) {
        let device = &crate::cast::CAST.devices[newcomer];
        let now = self.machines[by].wall(self.now);
        if self.machines[by].log.ledger().unwrap().change_roster(now, added(device)).is_err() {
            return;
        }
        self.say(&format!("{newcomer} joins by {by}"));
        self.tally.joined += 1;
        self.tell_roster(by);
        self.keep_roster(by);
        let records = self.machines[by].log.records();
        let machine = &mut self.machines[newcomer];
        let now = machine.wall(self.now);
        machine.log.accept_records(now, &records);
        machine.log.commit(now);
        machine.joined = true;
        self.boot(newcomer);
    }

    /// A machine breaks and never comes back.
    fn die(&mut self, index: usize) {
        if !self.may_go(index) {
            return;
        }
        self.say(&format!("{index} dies"));
        self.tally.died_for_good += 1;
        self.crash(index);
        self.give_up_copies(index);
        self.machines[index].destroyed = true;
    }

    /// A person takes a machine out of the group. Who does so, and the others, may have seen more of its log, or less.
    fn remove_somebody(&mut self, index: usize) {
        let Some(by) = self.someone_up().filter(|by| *by != index) else { return };
        if self.may_remove(by, index) && self.may_go(index) {
            self.tally.removed += 1;
            self.crash(index);
            self.give_up_copies(index);
            self.remove(by, index);
        }
    }

    /// Whether both are on its roster. Who was only told at its pairing who is a member has none yet, and cannot change it.
    fn may_remove(&self, by: usize, index: usize) -> bool {
        let roster = self.machines[by].log.roster();
        let is_on = |machine: usize| {
            let device = roster.device_by_id(&self.machines[machine].device());
            device.is_some_and(|device| !device.removed)
        };
        is_on(by) && is_on(index)
    }

    pub fn remove(&mut self, by: usize, index: usize) {
        self.say(&format!("{by} removes {index}"));
        let (device, now) = (self.machines[index].device(), self.machines[by].wall(self.now));
        let through = self.machines[by].log.frontier().0.get(&device).copied().unwrap_or(0);
        self.machines[by].log.ledger().unwrap().change_roster(now, dropped(device, through)).unwrap();
        let writers = self.machines.iter().filter(|machine| !machine.kind.blind && machine.index != index);
        let kept = writers.filter_map(|machine| {
            let through = *machine.log.frontier().0.get(&device)?;
            Some(Kept { of: index, by: machine.index, through })
        });
        let kept: Vec<_> = kept.collect();
        self.tally.removed_seen_unequally += u64::from(kept.iter().any(|one| one.through > through));
        self.kept.extend(kept);
        self.removed.push(index);
        self.tell_roster(by);
        self.keep_roster(by);
    }

    /// What a person changed on the roster is durable when he is told that it is done.
    fn keep_roster(&mut self, index: usize) {
        let now = self.now;
        self.machines[index].commit(now);
        self.commit_soon(index);
    }

    /// Whether somebody else has all records of this one's roster, and keeps them: who joined by it would else be let in by nobody.
    fn has_passed_on_its_roster(&self, index: usize) -> bool {
        let records = self.machines[index].log.records();
        let others = self.machines.iter().filter(|other| other.index != index && self.is_there(other.index));
        let durable = others.filter(|other| !other.kind.joins && !other.commit_due);
        durable.map(|other| other.log.records()).any(|theirs| records.iter().all(|one| theirs.contains(one)))
    }

    /// Whether the group can do without a machine: the first one stays, and enough hosts.
    fn may_go(&self, index: usize) -> bool {
        let gone = self.removed.len() + self.machines.iter().filter(|machine| machine.destroyed).count();
        let left = self.hosts().into_iter().filter(|host| *host != index).count();
        let there = self.is_member(index) && !self.machines[index].destroyed;
        let may_be_missed = gone < GONE_MAX && left >= HOSTS_LEFT;
        index > 0 && there && may_be_missed && self.is_spare(index) && self.has_passed_on_its_roster(index)
    }

    /// Gives room back, sets the clock, looks through the disk.
    pub fn make_good(&mut self, index: usize) {
        let machine = &mut self.machines[index];
        machine.ahead_ms = machine.kind.ahead_ms;
        machine.disk.limit = machine.kind.room;
        let found = machine.disk.scrub();
        let was_full = machine.full && machine.disk.used < machine.kind.room;
        machine.full &= !was_full;
        if found {
            self.feed(index, Input::Damaged);
        }
        if was_full {
            self.tell_facts(index);
        }
    }

    /// Who died is declared lost by all.
    pub fn bury_all(&mut self) {
        for dead in 0..self.machines.len() {
            if self.machines[dead].destroyed {
                self.machines[dead].declared_lost = true;
                let device = self.machines[dead].device();
                (0..self.machines.len()).for_each(|index| self.feed(index, Input::DeclareLost { device }));
            }
        }
    }

    /// A host gives no room any more, waits until all it has is elsewhere, and goes.
    pub fn leave(&mut self, index: usize, settle_max_ms: u64) {
        self.say(&format!("{index} leaves"));
        self.tally.gave_no_room_any_more_and_left += 1;
        self.machines[index].kind.contributed = 0;
        self.tell_facts(index);
        // It waits for good where the others cannot take what it has.
        self.make_room_for_two();
        self.settle_exactly(settle_max_ms);
        self.remove(0, index);
        self.settle(settle_max_ms);
    }
}

/// From a number below twice [`AHEAD_MAX_MS`].
pub fn some_drift(drawn: u64) -> i64 {
    drawn as i64 - AHEAD_MAX_MS as i64
}
