//! For how long others have not been heard, over restarts: a computer that is started anew each day would else wait a day for a lost
//! one, every day.
//!
//! What passed while this computer was off counts too, but not at once: whoever is there is heard within moments, and only then is
//! it known who is not. And not while nobody is heard: then it is this computer that is away.

use std::time::Duration;

use ledger::identity::DeviceId;
use swarm::{Millis, View};

use super::peers_file::KeptPeer;

/// Whoever was not heard so long after the start counts as silent since he was last heard.
pub const COUNTS_AFTER: Duration = Duration::from_secs(120);

/// When others were last heard, as far as that is from before the start. Milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Silence {
    before: Vec<(DeviceId, u64)>,
}

impl Silence {
    /// As it was kept.
    pub fn of<'a>(peers: impl Iterator<Item = (DeviceId, &'a KeptPeer)>) -> Self {
        let known = peers.filter(|(_, peer)| peer.heard_ms > 0);
        Self { before: known.map(|(device, peer)| (device, peer.heard_ms)).collect() }
    }

    /// Nothing from before the start is left to be counted.
    pub fn is_counted(&self) -> bool {
        self.before.is_empty()
    }

    /// When somebody was last heard: what is to be kept.
    pub fn heard_ms(&self, device: &DeviceId, view: &View, up: Duration, wall_ms: u64) -> u64 {
        if !heard_since_start(device, view, up)
            && let Some((_, before)) = self.before.iter().find(|(known, _)| known == device)
        {
            return *before;
        }
        let silent = view.peers.iter().find(|peer| peer.device == *device).map_or(0, |peer| peer.silent_ms);
        wall_ms.saturating_sub(silent)
    }

    /// Once, when it is known who is not there: how long each of them has been silent.
    pub fn due(&mut self, view: &View, up: Duration, wall_ms: u64) -> Option<Vec<(DeviceId, Millis)>> {
        let somebody = view.peers.iter().any(|peer| peer.connected);
        if self.before.is_empty() || up < COUNTS_AFTER || !somebody {
            return None;
        }
        let silent = std::mem::take(&mut self.before).into_iter();
        let silent = silent.filter(|(device, _)| !heard_since_start(device, view, up));
        let up_ms = u64::try_from(up.as_millis()).unwrap_or(u64::MAX);
        // The swarm counts from the start by itself. A clock that was set back makes nobody lost.
        let before_start = |heard: u64| wall_ms.saturating_sub(heard).saturating_sub(up_ms);
        Some(silent.map(|(device, heard)| (device, before_start(heard))).collect())
    }
}

fn heard_since_start(device: &DeviceId, view: &View, up: Duration) -> bool {
    let peer = view.peers.iter().find(|peer| peer.device == *device);
    // Whoever was never heard counts from about the start, a moment after which he became known.
    let never = |silent_ms: Millis| u128::from(silent_ms) + 1_000 >= up.as_millis();
    peer.is_some_and(|peer| !never(peer.silent_ms))
}

#[cfg(test)]
mod tests {
    use swarm::{PeerState, PeerView};

    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const NOW_MS: u64 = 1_000 * HOUR_MS;

    fn device(number: u8) -> DeviceId {
        ledger::keys::DeviceKey::generate(&mut |bytes: &mut [u8]| bytes.fill(number)).id()
    }

    fn view(silent: &[(u8, u64)]) -> View {
        let peer = |(number, silent_ms): &(u8, u64)| PeerView {
            device: device(*number),
            state: PeerState::Online,
            declared_lost: false,
            silent_ms: *silent_ms,
            connected: *silent_ms == 0,
            rtt_ms: None,
            copies_outstanding: 0,
            chunk_rate: None,
            audit: swarm::Audit::default(),
            scrubbed: None,
            sync_lag: 0,
            facts: None,
        };
        View { peers: silent.iter().map(peer).collect(), ..View::default() }
    }

    fn kept() -> Silence {
        let peer = |hours: u64| KeptPeer { heard_ms: NOW_MS - hours * HOUR_MS, ..KeptPeer::default() };
        let (one, two, three) = (peer(30), peer(20), peer(30));
        Silence::of([(device(1), &one), (device(2), &two), (device(3), &three)].into_iter())
    }

    #[test]
    fn silence_goes_on_over_a_restart_for_those_who_are_not_there() {
        let up = COUNTS_AFTER;
        let up_ms = u64::try_from(up.as_millis()).unwrap();
        let mut silence = kept();
        let view = view(&[(1, up_ms), (2, up_ms), (3, 0)]);
        assert_eq!(silence.due(&view, up / 2, NOW_MS), None, "they may come yet");
        let due = silence.due(&view, up, NOW_MS).unwrap();
        assert_eq!(due, [(device(1), 30 * HOUR_MS - up_ms), (device(2), 20 * HOUR_MS - up_ms)]);
        assert_eq!(silence.due(&view, up, NOW_MS), None, "once");
    }

    #[test]
    fn who_hears_nobody_is_away_himself() {
        let up_ms = u64::try_from(COUNTS_AFTER.as_millis()).unwrap();
        let nobody = view(&[(1, up_ms), (2, up_ms)]);
        assert_eq!(kept().due(&nobody, COUNTS_AFTER, NOW_MS), None);
    }

    #[test]
    fn what_is_kept_is_when_somebody_was_last_heard() {
        let up = Duration::from_secs(60);
        let silence = kept();
        let view = view(&[(1, 60_000), (2, 10_000), (4, 60_000)]);
        let heard = |number| silence.heard_ms(&device(number), &view, up, NOW_MS);
        assert_eq!(heard(1), NOW_MS - 30 * HOUR_MS, "not since the start");
        assert_eq!(heard(2), NOW_MS - 10_000);
        assert_eq!(heard(4), NOW_MS - 60_000, "never before: from now on");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_lost() {
        let up_ms = u64::try_from(COUNTS_AFTER.as_millis()).unwrap();
        let due = kept().due(&view(&[(1, up_ms), (3, 0)]), COUNTS_AFTER, 5).unwrap();
        assert_eq!(due.iter().find(|(of, _)| *of == device(1)), Some(&(device(1), 0)));
    }
}
