//! Which peers are called, where, and when again. Decides only: the driver calls.

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
/// Addresses remembered of one device.
const ADDRESSES_MAX: usize = 24;

#[derive(Debug, Default)]
struct Callee {
    addresses: BTreeSet<SocketAddr>,
    /// The last that worked is tried first.
    worked: Option<SocketAddr>,
    pause: Duration,
    next: Option<Instant>,
    busy: bool,
}

/// The peers that are to be called.
#[derive(Debug)]
pub struct Dialer {
    me: DeviceId,
    callees: BTreeMap<DeviceId, Callee>,
}

impl Dialer {
    pub fn new(me: DeviceId) -> Self {
        Self { me, callees: BTreeMap::new() }
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
        if self.me < *device { now } else { now + YIELD }
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

    /// Devices to be called now, with their addresses, the best first.
    pub fn due(&mut self, now: Instant) -> Vec<(DeviceId, Vec<SocketAddr>)> {
        let mut due = Vec::new();
        for (device, callee) in &mut self.callees {
            let is_due = callee.next.is_some_and(|next| next <= now);
            if !is_due || callee.busy {
                continue;
            }
            if callee.addresses.is_empty() {
                // Nothing to call: discovery or another peer may tell.
                callee.next = Some(now + LONGEST_PAUSE);
                continue;
            }
            callee.busy = true;
            let worked = callee.worked.into_iter();
            let others = callee.addresses.iter().copied().filter(|address| Some(*address) != callee.worked);
            due.push((*device, worked.chain(others).collect()));
        }
        due
    }

    /// When the next call is due.
    pub fn next(&self) -> Option<Instant> {
        self.callees.values().filter(|callee| !callee.busy).filter_map(|callee| callee.next).min()
    }

    /// A call failed; `dice` is anything.
    pub fn failed(&mut self, now: Instant, device: &DeviceId, dice: u64) {
        let Some(callee) = self.callees.get_mut(device) else { return };
        callee.busy = false;
        callee.pause = (callee.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        // Between three and five quarters, so that computers that woke together do not call together.
        let pause = callee.pause * (75 + u32::try_from(dice % 51).expect("small")) / 100;
        if callee.next.is_some() {
            callee.next = Some(now + pause);
        }
    }

    /// It is connected, however that came.
    pub fn connected(&mut self, device: &DeviceId, at: SocketAddr, called: bool) {
        let Some(callee) = self.callees.get_mut(device) else { return };
        callee.busy &= !called;
        callee.pause = Duration::ZERO;
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

    /// It is not connected any more.
    pub fn lost(&mut self, now: Instant, device: &DeviceId) {
        let first = self.first_call(now, device);
        if let Some(callee) = self.callees.get_mut(device) {
            callee.next = Some(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> DeviceId {
        DeviceId::from_bytes([n; 32])
    }

    fn dialer() -> (Dialer, Instant) {
        let now = Instant::now();
        let mut dialer = Dialer::new(id(5));
        dialer.set_members(now, &[id(1), id(5), id(9)].into());
        (dialer, now)
    }

    #[test]
    fn the_smaller_calls_and_the_greater_waits_for_it() {
        let (mut dialer, now) = dialer();
        dialer.learn(now, &id(1), &["10.0.0.1:1".parse().unwrap()]);
        dialer.learn(now, &id(9), &["10.0.0.9:1".parse().unwrap()]);
        let called: Vec<DeviceId> = dialer.due(now).into_iter().map(|(device, _)| device).collect();
        assert_eq!(called, [id(9)]);
        let called: Vec<DeviceId> = dialer.due(now + YIELD).into_iter().map(|(device, _)| device).collect();
        assert_eq!(called, [id(1)]);
    }

    #[test]
    fn a_call_that_failed_comes_again_later_and_later_and_a_sighting_at_once() {
        let (mut dialer, mut now) = dialer();
        let at = ["10.0.0.9:1".parse().unwrap()];
        dialer.learn(now, &id(9), &at);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            assert_eq!(dialer.due(now).len(), 1);
            dialer.failed(now, &id(9), 25);
            let next = dialer.next().filter(|next| *next > now).unwrap_or(now);
            let next = dialer.callees[&id(9)].next.unwrap_or(next);
            pauses.push(next - now);
            now = next;
        }
        assert_eq!((pauses[0], *pauses.last().unwrap()), (FIRST_PAUSE, LONGEST_PAUSE));
        assert_eq!(dialer.due(now).len(), 1);
        dialer.failed(now, &id(9), 25);
        assert!(dialer.due(now).is_empty());
        dialer.showed_up(now, &id(9), &at);
        assert_eq!(dialer.due(now).len(), 1);
    }

    #[test]
    fn who_is_connected_is_not_called_and_where_it_worked_is_tried_first() {
        let (mut dialer, now) = dialer();
        let (one, two) = ("10.0.0.9:1".parse().unwrap(), "10.0.0.9:2".parse().unwrap());
        dialer.learn(now, &id(9), &[one, two]);
        assert_eq!(dialer.due(now).len(), 1);
        dialer.connected(&id(9), two, true);
        assert!(dialer.due(now + LONGEST_PAUSE).iter().all(|(device, _)| *device != id(9)));
        dialer.lost(now, &id(9));
        assert_eq!(dialer.due(now), [(id(9), vec![two, one])]);
        dialer.set_members(now, &[id(5)].into());
        assert!(dialer.next().is_none());
    }
}
