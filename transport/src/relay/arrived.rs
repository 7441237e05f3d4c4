//! Relayed packets that have arrived and wait for QUIC to take them, bounded.

use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::task::Waker;

use bytes::Bytes;
use parking_lot::Mutex;
use quinn::udp::RecvMeta;

use super::address::RelayAddress;

/// Packets that wait at most; more are lost, as on any network.
pub(crate) const ARRIVED_MAX_PACKETS: usize = 512;

/// The queue, and who is to be woken when something is put into it.
#[derive(Default)]
pub(crate) struct Arrived {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    packets: VecDeque<(RelayAddress, Bytes)>,
    waiting: Option<Waker>,
}

impl Arrived {
    /// False if there was no room. The packet is copied: a piece kept would keep the whole batch of packets it came in.
    pub(crate) fn put(&self, from: RelayAddress, packet: &[u8]) -> bool {
        let mut state = self.state.lock();
        if state.packets.len() >= ARRIVED_MAX_PACKETS {
            return false;
        }
        state.packets.push_back((from, Bytes::copy_from_slice(packet)));
        let waiting = state.waiting.take();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        true
    }

    /// Moves packets out, as a socket would; how many. If there are none, the waker is called when one comes.
    pub(crate) fn take(&self, waker: &Waker, bufs: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) -> usize {
        let mut state = self.state.lock();
        if state.packets.is_empty() {
            if !state.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker)) {
                state.waiting = Some(waker.clone());
            }
            return 0;
        }
        let mut taken = 0;
        for (buf, meta) in bufs.iter_mut().zip(metas) {
            let Some((from, packet)) = state.packets.pop_front() else { break };
            // A packet longer than QUIC listens for is cut off by a socket, too.
            let bytes = packet.len().min(buf.len());
            buf[..bytes].copy_from_slice(&packet[..bytes]);
            *meta = RecvMeta { addr: from.to_socket(), len: bytes, stride: bytes, ecn: None, dst_ip: None };
            taken += 1;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::super::datagram::ShortKey;
    use super::*;

    #[test]
    fn a_flood_is_bounded_and_what_was_kept_comes_out_in_order() {
        let arrived = Arrived::default();
        let from = RelayAddress { slot: 7, device: ShortKey([1; 8]) };
        let put = (0..2000u16).filter(|number| arrived.put(from, &number.to_be_bytes())).count();
        assert_eq!(put, ARRIVED_MAX_PACKETS);
        let (mut one, mut two) = ([0; 100], [0; 1]);
        let mut metas = [RecvMeta::default(); 2];
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(arrived.take(Waker::noop(), &mut bufs, &mut metas), 2);
        assert_eq!((metas[0].addr, metas[0].len), (from.to_socket(), 2));
        assert_eq!(metas[1].len, 1, "cut to the room there is");
        assert_eq!((&one[..2], two), (&[0, 0][..], [0]));
    }
}
