//! Which peers are called, where, and when again. Decides only: the driver calls.
//!
//! ```text
//!  away ── call at its addresses ──▶ direct
//!    └──── call failed: the next one also through relays ──▶ relayed ── still called at its addresses ──▶ direct
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ledger::identity::DeviceId;

/// First pause after a call that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Of two devices that know of each other the one with the smaller id calls; the other one calls when nothing came for this long.
const YIELD: Duration = Duration::from_millis(300);
/// A device that has just started does not wait for that: the others cannot know yet that it is here.
const JUST_STARTED: Duration = Duration::from_secs(1);
/// First pause between the calls that shall make a relayed link needless.
const FIRST_DIRECT_PAUSE: Duration = Duration::from_secs(15);
/// Longest of them.
const LONGEST_DIRECT_PAUSE: Duration = Duration::from_secs(300);
/// A link that ended sooner counts as a call that failed: else two that disagree would call each other without end.
const SHORT_LIVED: Duration = Duration::from_secs(5);
/// Addresses remembered of one device.
const ADDRESSES_MAX: usize = 24;

#[derive(Debug, Default)]
struct Callee {
    addresses: BTreeSet<SocketAddr>,
    /// The last that worked is tried first.
    worked: Option<SocketAddr>,
    pause: Duration,
    /// None while it is directly connected.
    next: Option<Instant>,
    busy: bool,
    relayed: bool,
    /// Direct calls that failed since the last that did not, and since when none was answered.
    failures: u32,
    unanswered_since: Option<Instant>,
}

/// A call that is due.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    pub device: DeviceId,
    /// The best first.
    pub addresses: Vec<SocketAddr>,
    /// It may be called through a relay as well.
    pub through_relays: bool,
}

/// Why there is no direct link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It is not known where it could be called.
    NoAddress,
    /// Nobody has answered for so long, here and at its other addresses.
    At { address: SocketAddr, time: Duration },
}

/// The peers that are to be called.
#[derive(Debug)]
pub struct Dialer {
    me: DeviceId,
    started: Instant,
    callees: BTreeMap<DeviceId, Callee>,
}

impl Dialer {
    /// Starts without anybody to call.
    pub fn new(me: DeviceId, started: Instant) -> Self {
        Self { me, started, callees: BTreeMap::new() }
    }

    /// Calls these devices and no others.
    pub fn set_members(&mut self, now: Instant, members: &BTreeSet<DeviceId>) {
        self.callees.retain(|device, _| members.contains(device));
        for device in members.iter().filter(|device| **device != self.me) {
            let first = self.first_call(now, device);
            self.callees.entry(*device).or_insert_with(|| Callee { next: Some(first), ..Callee::default() });
        }
    }

    fn first_call(&self, now: Instant, device: &DeviceId) -> Instant {
        let just_started = now < self.started + JUST_STARTED;
        if just_started || self.me < *device { now } else { now + YIELD }
    }

    /// A device may be reached there. If that is news, it is called soon.
    pub fn learn(&mut self, now: Instant, device: &DeviceId, addresses: &[SocketAddr]) {
        let first = self.first_call(now, device);
        let Some(callee) = self.callees.get_mut(device) else { return };
        let mut news = false;
        for address in addresses {
            if callee.addresses.len() < ADDRESSES_MAX {
                news |= callee.addresses.insert(*address);
            }
        }
        if news && !callee.busy && callee.next.is_some() {
            callee.pause = Duration::ZERO;
            callee.next = Some(first);
        }
    }

    /// It showed up on the network: call it, whatever the pause says.
    pub fn showed_up(&mut self, now: Instant, device: &DeviceId, addresses: &[SocketAddr]) {
        self.learn(now, device, addresses);
        let first = self.first_call(now, device);
        if let Some(callee) = self.callees.get_mut(device)
            && !callee.busy
            && let Some(next) = &mut callee.next
        {
            *next = first.min(*next);
        }
    }

    /// What may have changed for all that are not directly connected: this computer's own network, or who relays. They are
    /// called soon.
    pub fn try_all_again(&mut self, now: Instant) {
        for callee in self.callees.values_mut().filter(|callee| !callee.busy) {
            if let Some(next) = &mut callee.next {
                callee.pause = Duration::ZERO;
                *next = (now + YIELD).min(*next);
            }
        }
    }

    /// Devices to be called now.
    pub fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for (device, callee) in &mut self.callees {
            let is_due = callee.next.is_some_and(|next| next <= now);
            if !is_due || callee.busy {
                continue;
            }
            callee.busy = true;
            if !callee.addresses.is_empty() {
                callee.unanswered_since.get_or_insert(now);
            }
            let worked = callee.worked.into_iter();
            let others = callee.addresses.iter().copied().filter(|address| Some(*address) != callee.worked);
            let through_relays = !callee.relayed && (callee.failures > 0 || callee.addresses.is_empty());
            due.push(Due { device: *device, addresses: worked.chain(others).collect(), through_relays });
        }
        due
    }

    /// Why a device is not directly connected; none if it is, or was not called yet.
    pub fn unanswered(&self, now: Instant, device: &DeviceId) -> Option<Unanswered> {
        let callee = self.callees.get(device)?;
        let Some(address) = callee.worked.or_else(|| callee.addresses.first().copied()) else {
            return Some(Unanswered::NoAddress);
        };
        let time = now.saturating_duration_since(callee.unanswered_since?);
        Some(Unanswered::At { address, time })
    }

    /// When the next call is due.
    pub fn next(&self) -> Option<Instant> {
        self.callees.values().filter(|callee| !callee.busy).filter_map(|callee| callee.next).min()
    }

    /// A call failed; `dice` is anything.
    pub fn failed(&mut self, now: Instant, device: &DeviceId, dice: u64) {
        let Some(callee) = self.callees.get_mut(device) else { return };
        callee.busy = false;
        callee.failures = callee.failures.saturating_add(1);
        callee.grow_pause();
        // Between three and five quarters, so that computers that woke together do not call together.
        let pause = callee.pause * (75 + u32::try_from(dice % 51).expect("small")) / 100;
        if callee.next.is_some() {
            callee.next = Some(now + pause);
        }
    }

    /// It is connected through a relay: good enough to work with, and directly would be better.
    pub fn relayed(&mut self, now: Instant, device: &DeviceId, called: bool) {
        let Some(callee) = self.callees.get_mut(device) else { return };
        callee.busy &= !called;
        callee.relayed = true;
        callee.grow_pause();
        callee.next = Some(now + callee.pause);
    }

    /// It is directly connected, however that came.
    pub fn connected(&mut self, device: &DeviceId, at: SocketAddr, called: bool) {
        let Some(callee) = self.callees.get_mut(device) else { return };
        callee.busy &= !called;
        callee.relayed = false;
        callee.failures = 0;
        callee.unanswered_since = None;
        callee.next = None;
        if called {
            callee.worked = Some(at);
            callee.addresses.insert(at);
        }
    }

    /// The call was not needed after all.
    pub fn not_needed(&mut self, device: &DeviceId) {
        if let Some(callee) = self.callees.get_mut(device) {
            callee.busy = false;
        }
    }

    /// It is not connected any more; it was for so long.
    pub fn lost(&mut self, now: Instant, device: &DeviceId, lived: Duration) {
        let first = self.first_call(now, device);
        if let Some(callee) = self.callees.get_mut(device) {
            callee.relayed = false;
            if lived < SHORT_LIVED {
                callee.grow_pause();
            } else {
                callee.pause = Duration::ZERO;
            }
            callee.next = Some(first + callee.pause);
        }
    }
}

impl Callee {
    fn grow_pause(&mut self) {
        let (first, longest) = if self.relayed {
            (FIRST_DIRECT_PAUSE, LONGEST_DIRECT_PAUSE)
        } else {
            (FIRST_PAUSE, LONGEST_PAUSE)
        };
        self.pause = (self.pause * 2).clamp(first, longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> DeviceId {
        DeviceId::from_bytes([n; 32])
    }

    fn dialer() -> (Dialer, Instant) {
        let started = Instant::now();
        let now = started + JUST_STARTED;
        let mut dialer = Dialer::new(id(5), started);
        dialer.set_members(now, &[id(1), id(5), id(9)].into());
        (dialer, now)
    }

    /// The one call to device 9 that is due.
    fn due_to_nine(dialer: &mut Dialer, now: Instant) -> Due {
        let nine = |due: &Due| due.device == id(9);
        dialer.due(now).into_iter().find(nine).expect("a call is due")
    }

    #[test]
    fn the_smaller_calls_and_the_greater_waits_for_it() {
        let (mut dialer, now) = dialer();
        dialer.learn(now, &id(1), &["10.0.0.1:1".parse().unwrap()]);
        dialer.learn(now, &id(9), &["10.0.0.9:1".parse().unwrap()]);
        let called: Vec<DeviceId> = dialer.due(now).into_iter().map(|due| due.device).collect();
        assert_eq!(called, [id(9)]);
        let called: Vec<DeviceId> = dialer.due(now + YIELD).into_iter().map(|due| due.device).collect();
        assert_eq!(called, [id(1)]);
    }

    #[test]
    fn who_has_just_started_calls_all_at_once() {
        let started = Instant::now();
        let mut dialer = Dialer::new(id(5), started);
        dialer.set_members(started, &[id(1), id(5), id(9)].into());
        dialer.learn(started, &id(1), &["10.0.0.1:1".parse().unwrap()]);
        dialer.learn(started, &id(9), &["10.0.0.9:1".parse().unwrap()]);
        let called: Vec<DeviceId> = dialer.due(started).into_iter().map(|due| due.device).collect();
        assert_eq!(called, [id(1), id(9)]);
    }

    #[test]
    fn a_call_that_failed_comes_again_later_and_later_and_a_sighting_at_once() {
        let (mut dialer, mut now) = dialer();
        let at = ["10.0.0.9:1".parse().unwrap()];
        dialer.learn(now, &id(9), &at);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            due_to_nine(&mut dialer, now);
            dialer.failed(now, &id(9), 25);
            let next = dialer.next().filter(|next| *next > now).unwrap_or(now);
            let next = dialer.callees[&id(9)].next.unwrap_or(next);
            pauses.push(next - now);
            now = next;
        }
        assert_eq!((pauses[0], *pauses.last().unwrap()), (FIRST_PAUSE, LONGEST_PAUSE));
        due_to_nine(&mut dialer, now);
        dialer.failed(now, &id(9), 25);
        assert!(dialer.due(now).is_empty());
        dialer.showed_up(now, &id(9), &at);
        due_to_nine(&mut dialer, now);
    }

    #[test]
    fn who_is_connected_is_not_called_and_where_it_worked_is_tried_first() {
        let (mut dialer, now) = dialer();
        let (one, two) = ("10.0.0.9:1".parse().unwrap(), "10.0.0.9:2".parse().unwrap());
        dialer.learn(now, &id(9), &[one, two]);
        assert_eq!(dialer.due(now).len(), 1);
        dialer.connected(&id(9), two, true);
        assert!(dialer.due(now + LONGEST_PAUSE).iter().all(|due| due.device != id(9)));
        dialer.lost(now, &id(9), SHORT_LIVED);
        let due = Due { device: id(9), addresses: vec![two, one], through_relays: false };
        assert_eq!(dialer.due(now), [due]);
        dialer.set_members(now, &[id(5)].into());
        assert!(dialer.next().is_none());
    }

    #[test]
    fn relays_are_tried_when_a_direct_call_failed_and_direct_calls_go_on_behind_a_relay() {
        let (mut dialer, now) = dialer();
        let at = "10.0.0.9:1".parse().unwrap();
        dialer.learn(now, &id(9), &[at]);
        assert!(!due_to_nine(&mut dialer, now).through_relays);
        dialer.failed(now, &id(9), 25);
        let now = now + FIRST_PAUSE;
        assert!(due_to_nine(&mut dialer, now).through_relays);
        dialer.relayed(now, &id(9), true);
        let expected = Unanswered::At { address: at, time: FIRST_PAUSE };
        assert_eq!(dialer.unanswered(now, &id(9)), Some(expected));
        let mut pauses = Vec::new();
        let mut then = now;
        for _ in 0..8 {
            let next = dialer.callees[&id(9)].next.unwrap();
            pauses.push(next - then);
            then = next;
            assert!(!due_to_nine(&mut dialer, then).through_relays, "one relayed link is enough");
            dialer.failed(then, &id(9), 25);
        }
        assert_eq!((pauses[0], pauses[1]), (FIRST_DIRECT_PAUSE, 2 * FIRST_DIRECT_PAUSE));
        assert_eq!(*pauses.last().unwrap(), LONGEST_DIRECT_PAUSE);
        dialer.try_all_again(then);
        assert!(!due_to_nine(&mut dialer, then + YIELD).through_relays);
        dialer.connected(&id(9), at, true);
        assert_eq!(dialer.unanswered(then, &id(9)), None);
    }

    #[test]
    fn a_device_without_addresses_is_called_through_relays_at_once() {
        let (mut dialer, now) = dialer();
        let due = due_to_nine(&mut dialer, now);
        assert_eq!(due, Due { device: id(9), addresses: Vec::new(), through_relays: true });
        assert_eq!(dialer.unanswered(now, &id(9)), Some(Unanswered::NoAddress));
    }

    #[test]
    fn links_that_end_at_once_are_not_made_without_end() {
        let (mut dialer, mut now) = dialer();
        let at = "10.0.0.9:1".parse().unwrap();
        dialer.learn(now, &id(9), &[at]);
        for _ in 0..12 {
            due_to_nine(&mut dialer, now);
            dialer.connected(&id(9), at, true);
            dialer.lost(now, &id(9), Duration::ZERO);
            let next = dialer.callees[&id(9)].next.unwrap();
            assert!(next >= now + FIRST_PAUSE);
            now = next;
        }
        assert_eq!(dialer.callees[&id(9)].pause, LONGEST_PAUSE);
        dialer.lost(now, &id(9), SHORT_LIVED);
        assert_eq!(dialer.callees[&id(9)].next, Some(now));
    }
}
