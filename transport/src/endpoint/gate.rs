//! Who comes in.
//!
//! ```text
//!  packet ─▶ places left? address proven when crowded? ─▶ TLS (≤ 10 s) ─▶ key admitted? ─▶ lanes granted ─▶ Arrivals
//!                 no: refused, counted                                      no: closed, counted, no stream ever existed
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Incoming, ServerConfig};
use rustls::pki_types::CertificateDer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::doorstep::{CONNECTIONS_MAX, Doorstep, Place};
use super::{Admission, Arrival, PairingLink, plain_address, tuning};
use crate::close::CloseCode;
use crate::counts::{LogBrake, count};
use crate::key::PeerKey;
use crate::link::{Link, Surroundings, open_lanes};
use crate::relay::address::RelayAddress;
use crate::tls::{ALPN_MEMBER, ALPN_PAIRING};

/// From the first packet to an arrival.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Pairings under way at once.
const PAIRINGS_MAX: usize = 8;
/// Until the code must have been proven.
pub(crate) const PAIRING_UNPROVEN_MAX: Duration = Duration::from_secs(20);
/// What a proven pairing has for the handing over.
const PAIRING_PROVEN_MAX: Duration = Duration::from_secs(120);

pub(super) struct Gate {
    own: PeerKey,
    admission: Arc<dyn Admission>,
    /// For who comes through a relay.
    relayed: Arc<ServerConfig>,
    around: Surroundings,
    doorstep: Doorstep,
    pairings: Arc<Semaphore>,
    brake: LogBrake,
    arrivals: mpsc::Sender<Arrival>,
}

impl Gate {
    pub(super) fn new(
        own: PeerKey,
        admission: Arc<dyn Admission>,
        relayed: Arc<ServerConfig>,
        around: Surroundings,
        arrivals: mpsc::Sender<Arrival>,
    ) -> Arc<Self> {
        let doorstep = Doorstep::new();
        let pairings = Arc::new(Semaphore::new(PAIRINGS_MAX));
        Arc::new(Self {
            own,
            admission,
            relayed,
            around,
            doorstep,
            pairings,
            brake: LogBrake::default(),
            arrivals,
        })
    }

    /// Runs until the endpoint closes.
    pub(super) async fn run(self: Arc<Self>, endpoint: quinn::Endpoint) {
        while let Some(incoming) = endpoint.accept().await {
            self.answer(incoming, endpoint.open_connections());
        }
    }

    fn answer(self: &Arc<Self>, incoming: Incoming, connections: usize) {
        // Those that are ending count too: one turned away a moment ago still takes memory.
        if connections >= CONNECTIONS_MAX {
            return self.refuse(incoming);
        }
        if self.doorstep.is_crowded() && incoming.may_retry() && !incoming.remote_address_validated() {
            count(&self.around.tally.handshakes_retried);
            // A retry that cannot be sent is a packet lost.
            let _ = incoming.retry();
            return;
        }
        let place = self.doorstep.address(incoming.remote_address().ip());
        let (Some(place), Some(handshake)) = (place, self.doorstep.handshake()) else {
            self.refuse(incoming);
            return;
        };
        tokio::spawn(Arc::clone(self).admit(incoming, place, handshake));
    }

    fn refuse(&self, incoming: Incoming) {
        count(&self.around.tally.handshakes_refused);
        if self.brake.may_log() {
            let address = plain_address(incoming.remote_address());
            tracing::warn!(%address, "refused a connection: too many are being made");
        }
        incoming.refuse();
    }

    async fn admit(
        self: Arc<Self>,
        incoming: Incoming,
        place: Place<IpAddr>,
        handshake: OwnedSemaphorePermit,
    ) {
        let greeted = timeout(HANDSHAKE_MAX, self.greet(incoming, place)).await;
        match greeted {
            Ok(Some(arrival)) => {
                let _ = timeout(HANDSHAKE_MAX, self.arrivals.send(arrival)).await;
            }
            Ok(None) => {}
            Err(_) => count(&self.around.tally.handshakes_failed),
        }
        drop(handshake);
    }

    async fn greet(&self, incoming: Incoming, place: Place<IpAddr>) -> Option<Arrival> {
        let behind_relay = RelayAddress::of(&incoming.remote_address());
        let Ok(connection) = self.accept(incoming, behind_relay.is_some()).await else {
            count(&self.around.tally.handshakes_failed);
            return None;
        };
        let (Some(peer), Some(protocol)) = (peer_key(&connection), protocol(&connection)) else {
            count(&self.around.tally.handshakes_failed);
            return None;
        };
        match &protocol[..] {
            ALPN_MEMBER => self.member(connection, peer, behind_relay).await,
            // Members of a workspace have paired already.
            ALPN_PAIRING if behind_relay.is_none() => self.pairing(connection, peer, place),
            _ => None,
        }
    }

    async fn accept(
        &self,
        incoming: Incoming,
        is_relayed: bool,
    ) -> Result<Connection, quinn::ConnectionError> {
        let connecting =
            if is_relayed { incoming.accept_with(Arc::clone(&self.relayed)) } else { incoming.accept() };
        connecting?.await
    }

    async fn member(
        &self,
        connection: Connection,
        peer: PeerKey,
        behind_relay: Option<RelayAddress>,
    ) -> Option<Arrival> {
        if !self.admission.admits(&peer) {
            count(&self.around.tally.strangers_refused);
            self.turn_away(&connection, peer, CloseCode::NotAdmitted, "it is a member of no workspace here");
            return None;
        }
        let Some(place) = self.doorstep.member(peer) else {
            self.turn_away(&connection, peer, CloseCode::Busy, "this member has too many connections");
            return None;
        };
        let through = match behind_relay {
            None => None,
            // A relay that gives a packet another sender, or is gone already.
            Some(address) => match self.around.relays.carrier_to(address) {
                Some(carrier) if carrier.address_of(&peer) == address => Some(carrier),
                _ => {
                    count(&self.around.tally.handshakes_failed);
                    return None;
                }
            },
        };
        tuning::admit_member(&connection);
        let streams = open_lanes(&connection).await.ok()?;
        count(&self.around.tally.members_admitted);
        let watched = connection.clone();
        tokio::spawn(async move {
            watched.closed().await;
            drop(place);
        });
        Some(Arrival::Member(Link::start(connection, peer, streams, through, &self.around)))
    }

    fn pairing(&self, connection: Connection, peer: PeerKey, place: Place<IpAddr>) -> Option<Arrival> {
        if !self.admission.pairing_open() {
            count(&self.around.tally.pairings_refused);
            self.turn_away(&connection, peer, CloseCode::PairingClosed, "no invitation is open");
            return None;
        }
        let Ok(permit) = Arc::clone(&self.pairings).try_acquire_owned() else {
            count(&self.around.tally.pairings_refused);
            self.turn_away(&connection, peer, CloseCode::Busy, "too many pair at once");
            return None;
        };
        tuning::admit_pairing(&connection);
        let proven = Arc::new(AtomicBool::new(false));
        let watched = (connection.clone(), Arc::clone(&proven));
        tokio::spawn(async move {
            watch_pairing(&watched.0, &watched.1).await;
            drop((permit, place));
        });
        Some(Arrival::Pairing(PairingLink { connection, peer, own: self.own, proven }))
    }

    fn turn_away(&self, connection: &Connection, peer: PeerKey, code: CloseCode, why: &str) {
        if self.brake.may_log() {
            let address = plain_address(connection.remote_address());
            tracing::warn!(%peer, %address, "turned a connection away: {why}");
        }
        connection.close(code.to_wire(), b"");
    }
}

/// Ends a pairing that takes too long.
async fn watch_pairing(connection: &Connection, proven: &AtomicBool) {
    if timeout(PAIRING_UNPROVEN_MAX, connection.closed()).await.is_ok() {
        return;
    }
    if proven.load(Ordering::Acquire) && timeout(PAIRING_PROVEN_MAX, connection.closed()).await.is_ok() {
        return;
    }
    connection.close(CloseCode::PairingFailed.to_wire(), b"");
}

/// The key the other side proved.
pub(super) fn peer_key(connection: &Connection) -> Option<PeerKey> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    PeerKey::of_certificate(chain.first()?)
}

fn protocol(connection: &Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}
