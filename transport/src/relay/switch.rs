//! The socket QUIC sees: the wire, and the links to relays, as one.
//!
//! ```text
//!            ┌─ address of the real world ──▶ UDP socket, untouched
//!  QUIC ─────┤
//!            └─ address behind a relay ─────▶ datagram on the link to that relay
//! ```

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::Relays;
use super::address::RelayAddress;

/// One socket of the system's, and all relays.
pub(crate) struct Switch {
    wire: Arc<dyn AsyncUdpSocket>,
    /// The wire speaks IPv4 only. QUIC is told IPv6 all the same, or it would call nobody behind a relay.
    is_ipv4: bool,
    relays: Arc<Relays>,
}

impl Switch {
    pub(crate) fn new(wire: Arc<dyn AsyncUdpSocket>, relays: Arc<Relays>) -> io::Result<Self> {
        let is_ipv4 = wire.local_addr()?.is_ipv4();
        Ok(Self { wire, is_ipv4, relays })
    }

    /// Addresses as QUIC shall see them. Who claims, on the wire, to be behind a relay is not heard.
    fn screen(&self, metas: &mut [RecvMeta]) {
        for meta in metas {
            if RelayAddress::of(&meta.addr).is_some() {
                meta.len = 0;
            }
            if self.is_ipv4 {
                meta.addr = as_ipv6(meta.addr);
            }
        }
    }
}

impl AsyncUdpSocket for Switch {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        // What goes to a relay never blocks: what does not fit is lost, as on any network.
        Arc::clone(&self.wire).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if let Some(address) = RelayAddress::of(&transmit.destination) {
            let packet_bytes = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
            transmit.contents.chunks(packet_bytes).for_each(|packet| self.relays.send(address, packet));
            return Ok(());
        }
        if !self.is_ipv4 {
            return self.wire.try_send(transmit);
        }
        self.wire.try_send(&Transmit {
            destination: SocketAddr::new(
                transmit.destination.ip().to_canonical(),
                transmit.destination.port(),
            ),
            ecn: transmit.ecn,
            contents: transmit.contents,
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        })
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // These cannot starve the wire: each of them came by it.
        let relayed = self.relays.arrived.take(cx.waker(), bufs, metas);
        if relayed > 0 {
            return Poll::Ready(Ok(relayed));
        }
        let received = self.wire.poll_recv(cx, bufs, metas);
        if let Poll::Ready(Ok(count)) = &received {
            self.screen(&mut metas[..*count]);
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.wire.local_addr()?;
        Ok(if self.is_ipv4 { as_ipv6(address) } else { address })
    }

    fn max_transmit_segments(&self) -> usize {
        self.wire.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.wire.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.wire.may_fragment()
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switch").field("wire", &self.wire).finish_non_exhaustive()
    }
}

/// An IPv4 address in the form IPv6 has for it.
fn as_ipv6(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::super::datagram::ShortKey;
    use super::*;
    use crate::PeerKey;

    /// A wire on which one packet has come from this address.
    #[derive(Debug)]
    struct Wire {
        from: SocketAddr,
        sent_to: Mutex<Vec<SocketAddr>>,
    }

    impl AsyncUdpSocket for Wire {
        fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
            unreachable!("nothing waits here")
        }

        fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
            self.sent_to.lock().push(transmit.destination);
            Ok(())
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            _: &mut [IoSliceMut<'_>],
            metas: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            metas[0] = RecvMeta { addr: self.from, len: 5, stride: 5, ecn: None, dst_ip: None };
            Poll::Ready(Ok(1))
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok("127.0.0.1:7".parse().expect("an address"))
        }
    }

    fn switch(from: SocketAddr) -> (Switch, Arc<Wire>) {
        let wire = Arc::new(Wire { from, sent_to: Mutex::default() });
        let relays = Relays::new(&PeerKey([1; 32]), Arc::default());
        (Switch::new(wire.clone(), relays).unwrap(), wire)
    }

    fn received(switch: &Switch) -> RecvMeta {
        let (mut buf, mut metas) = ([0; 100], [RecvMeta::default()]);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let count = switch.poll_recv(&mut cx, &mut [IoSliceMut::new(&mut buf)], &mut metas);
        assert!(matches!(count, Poll::Ready(Ok(1))));
        metas[0]
    }

    #[test]
    fn who_claims_on_the_wire_to_be_behind_a_relay_is_not_heard() {
        let address = RelayAddress { slot: 0, device: ShortKey([2; 8]) };
        assert_eq!(received(&switch(address.to_socket()).0).len, 0);
        assert_eq!(received(&switch("[fd00::1]:9".parse().unwrap()).0).len, 5);
    }

    #[test]
    fn a_wire_of_ipv4_looks_like_one_of_ipv6_and_gets_ipv4() {
        let (switch, wire) = switch("192.0.2.1:9".parse().unwrap());
        let seen = received(&switch).addr;
        assert_eq!(seen, "[::ffff:192.0.2.1]:9".parse().unwrap());
        let behind = RelayAddress { slot: 0, device: ShortKey([2; 8]) }.to_socket();
        for destination in [seen, behind] {
            let transmit =
                Transmit { destination, ecn: None, contents: b"packet", segment_size: None, src_ip: None };
            switch.try_send(&transmit).unwrap();
        }
        assert_eq!(
            *wire.sent_to.lock(),
            ["192.0.2.1:9".parse().unwrap()],
            "and what is behind a relay stays off it"
        );
        assert!(switch.local_addr().unwrap().is_ipv6());
    }
}
