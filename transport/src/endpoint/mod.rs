//! One UDP port: calls peers, and takes their calls.
//!
//! ```text
//!  bind ─▶ Endpoint ── connect, connect_through ─▶ Link          others ─▶ gate ─▶ Arrivals ─▶ Arrival::{Member, Pairing}
//! ```

mod doorstep;
mod error;
mod gate;
mod socket;
mod tuning;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quinn::{ClientConfig, Connection, Runtime, TokioRuntime, TransportConfig};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::close::{CloseCode, Ended};
use crate::counts::{Counts, Tally};
use crate::key::{Identity, PeerKey};
use crate::link::{Link, LinkSender, Surroundings, open_lanes};
use crate::pace::Limits;
use crate::rates::{Allowed, Rates};
use crate::relay::address::RelayAddress;
use crate::relay::switch::Switch;
use crate::relay::{Carrier, Relays};
use crate::tls::{self, ALPN_MEMBER, ALPN_PAIRING, Impostor};
use gate::Gate;
pub(crate) use gate::PAIRING_UNPROVEN_MAX;

pub use error::{BindError, ConnectError};

/// Arrivals that wait to be taken.
const ARRIVALS_WAITING_MAX: usize = 32;
/// From the first packet to being admitted.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long closing waits for the peers to hear of it.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// Connections that wait for the gate, and the bytes they may bring before.
const INCOMING_WAITING_MAX: usize = 256;
const INCOMING_WAITING_MAX_BYTES: u64 = 16 << 10;
const ALL_INCOMING_WAITING_MAX_BYTES: u64 = 4 << 20;

/// Who may come in. Asked on the runtime's threads: must answer from memory.
pub trait Admission: Send + Sync + 'static {
    /// Whether the device with this key is a member.
    fn admits(&self, key: &PeerKey) -> bool;
    /// Whether an invitation is open.
    fn pairing_open(&self) -> bool;
}

/// What an endpoint is made of.
pub struct EndpointConfig {
    /// Where to listen; port 0 lets the system choose. `[::]` hears IPv4 too.
    pub listen: SocketAddr,
    /// This device.
    pub identity: Identity,
    /// Who may come in.
    pub admission: Arc<dyn Admission>,
    /// Limits of the network's use.
    pub rates: Rates,
}

/// One UDP port of this device; cheap to clone. Dropping all clones closes it.
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    quinn: quinn::Endpoint,
    identity: Identity,
    around: Surroundings,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.quinn.close(CloseCode::Done.to_wire(), b"");
    }
}

/// Peers that called.
pub struct Arrivals {
    waiting: mpsc::Receiver<Arrival>,
}

/// A peer that called.
pub enum Arrival {
    /// A member of a workspace here.
    Member(Link),
    /// Somebody who says to hold an invitation.
    Pairing(PairingLink),
}

/// A connection on which nothing but pairing is possible.
pub struct PairingLink {
    pub(crate) connection: Connection,
    pub(crate) peer: PeerKey,
    pub(crate) own: PeerKey,
    pub(crate) proven: Arc<AtomicBool>,
}

impl Arrivals {
    /// The next one; `None` when the endpoint is closed.
    pub async fn next(&mut self) -> Option<Arrival> {
        self.waiting.recv().await
    }
}

impl PairingLink {
    /// The key the other side proved in TLS. Who holds it is what pairing finds out.
    #[must_use]
    pub fn peer(&self) -> PeerKey {
        self.peer
    }

    /// Where the other side is.
    #[must_use]
    pub fn remote_address(&self) -> SocketAddr {
        plain_address(self.connection.remote_address())
    }

    pub(crate) fn set_proven(&self) {
        self.proven.store(true, Ordering::Release);
    }
}

impl Endpoint {
    /// Listens. Must be called inside a tokio runtime, which then runs the endpoint.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn bind(config: EndpointConfig) -> Result<(Self, Arrivals), BindError> {
        let EndpointConfig { listen, identity, admission, rates } = config;
        let server = server_config(&identity)?;
        let relayed = Arc::new(relayed_server_config(server.clone()));
        let tally = Arc::new(Tally::default());
        let relays = Relays::new(&identity.key(), Arc::clone(&tally));
        let opened = open_switch(listen, &relays).and_then(|socket| {
            quinn::Endpoint::new_with_abstract_socket(
                quinn::EndpointConfig::default(),
                Some(server),
                socket,
                Arc::new(TokioRuntime),
            )
        });
        let quinn = opened.map_err(|error| BindError::Socket { listen, error })?;
        let around = Surroundings { limits: Limits::new(rates), tally, relays };
        let (arrivals, waiting) = mpsc::channel(ARRIVALS_WAITING_MAX);
        let gate = Gate::new(identity.key(), admission, relayed, around.clone(), arrivals);
        tokio::spawn(gate.run(quinn.clone()));
        let inner = Arc::new(Inner { quinn, identity, around });
        Ok((Self { inner }, Arrivals { waiting }))
    }

    /// Where the endpoint listens.
    ///
    /// # Panics
    /// If the system does not know the address of an open socket.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        plain_address(self.inner.quinn.local_addr().expect("an open socket has an address"))
    }

    /// This device's key.
    #[must_use]
    pub fn key(&self) -> PeerKey {
        self.inner.identity.key()
    }

    /// Calls the member with this key at an address; done when the member has admitted this device. Takes at most 10 s.
    ///
    /// # Errors
    /// [`ConnectError::WrongPeer`] if another device answers; [`Ended::ByPeer`] with
    /// [`CloseCode::NotAdmitted`] if the peer does not know this device.
    pub async fn connect(&self, to: SocketAddr, peer: PeerKey) -> Result<Link, ConnectError> {
        check_that_it_is_real(to)?;
        self.call_member(to, peer, None).await
    }

    /// Calls the member with this key through another one that both are linked to. Takes at most 10 s; that the relay is
    /// none, or has no link to the member, shows after one round trip to it.
    ///
    /// # Errors
    /// [`ConnectError::Absent`] and [`ConnectError::NoRelay`]; else as [`Endpoint::connect`].
    pub async fn connect_through(&self, relay: &LinkSender, peer: PeerKey) -> Result<Link, ConnectError> {
        let relays = &self.inner.around.relays;
        let carrier = relays.carrier(relay.id()).filter(|carrier| carrier.is_wide_enough());
        let carrier = carrier.ok_or(ConnectError::NoRelay)?;
        let address = carrier.address_of(&peer);
        let absence = relays.absence(address);
        let absent = absence.notified();
        tokio::select! {
            called = self.call_member(address.to_socket(), peer, Some(carrier)) => called,
            () = absent => Err(ConnectError::Absent),
        }
    }

    async fn call_member(
        &self,
        to: SocketAddr,
        peer: PeerKey,
        through: Option<Arc<Carrier>>,
    ) -> Result<Link, ConnectError> {
        let (client, impostor) = tls::client(&self.inner.identity, Some(peer), ALPN_MEMBER)?;
        let tuned = if through.is_some() { tuning::for_relayed() } else { tuning::for_pinned() };
        let connection = self.call(to, client_config(client, tuned), &impostor);
        let opened = async {
            let connection = connection.await?;
            // The streams are granted by the peer's admission: this waits for it.
            let streams = open_lanes(&connection).await.map_err(Ended::from)?;
            Ok::<_, ConnectError>((connection, streams))
        };
        let (connection, streams) =
            timeout(CONNECT_MAX, opened).await.map_err(|_| ConnectError::NoAnswer)??;
        Ok(Link::start(connection, peer, streams, through, &self.inner.around))
    }

    /// Calls whoever is at an address, to pair by a code. Takes at most 10 s.
    ///
    /// # Errors
    /// If nobody answers. That no invitation is open there shows in the pairing.
    pub async fn connect_to_pair(&self, to: SocketAddr) -> Result<PairingLink, ConnectError> {
        self.call_to_pair(to, None).await
    }

    /// As [`Endpoint::connect_to_pair`], but only the device that a ticket names.
    ///
    /// # Errors
    /// [`ConnectError::WrongPeer`] if another device answers; else as `connect_to_pair`.
    pub async fn connect_to_pair_with(
        &self,
        to: SocketAddr,
        peer: PeerKey,
    ) -> Result<PairingLink, ConnectError> {
        self.call_to_pair(to, Some(peer)).await
    }

    async fn call_to_pair(
        &self,
        to: SocketAddr,
        pinned: Option<PeerKey>,
    ) -> Result<PairingLink, ConnectError> {
        check_that_it_is_real(to)?;
        let (client, impostor) = tls::client(&self.inner.identity, pinned, ALPN_PAIRING)?;
        let config = client_config(client, tuning::for_pairing());
        let call = self.call(to, config, &impostor);
        let connection = timeout(CONNECT_MAX, call).await.map_err(|_| ConnectError::NoAnswer)??;
        let peer = gate::peer_key(&connection)
            .ok_or_else(|| Ended::Failed("the peer showed no certificate".into()))?;
        Ok(PairingLink { connection, peer, own: self.key(), proven: Arc::default() })
    }

    async fn call(
        &self,
        to: SocketAddr,
        config: ClientConfig,
        impostor: &Impostor,
    ) -> Result<Connection, ConnectError> {
        let connecting = self.inner.quinn.connect_with(config, to, tls::SERVER_NAME)?;
        connecting.await.map_err(|error| match impostor.key() {
            Some(found) => ConnectError::WrongPeer { found },
            None => Ended::from(error).into(),
        })
    }

    /// Changes the limits of the network's use.
    pub fn set_rates(&self, rates: Rates) {
        self.inner.around.limits.set_rates(rates);
    }

    /// Tells the local minute of the week (0 is Monday 00:00), by which [`Rates::hours`] count; until then they do not.
    pub fn set_minute_of_week(&self, minute: u16) {
        self.inner.around.limits.set_minute_of_week(minute);
    }

    /// What all links together may use at the minute that was told last.
    #[must_use]
    pub fn allowed(&self) -> Allowed {
        self.inner.around.limits.allowed()
    }

    /// Passes packets on between members that both are linked to this device, so many bytes a second at most; 0, as at
    /// the start: none.
    pub fn set_relay(&self, bytes_per_s: u64) {
        self.inner.around.relays.set_budget(bytes_per_s);
    }

    /// What [`Endpoint::set_relay`] was told last.
    #[must_use]
    pub fn relay_bytes_per_s(&self) -> u64 {
        self.inner.around.relays.budget()
    }

    /// The carrier of a link that is direct and there.
    #[cfg(test)]
    pub(crate) fn carrier(&self, link_id: u64) -> Arc<Carrier> {
        self.inner.around.relays.carrier(link_id).expect("the link is direct and there")
    }

    /// What was turned away and passed on so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.inner.around.tally.counts()
    }

    /// Moves to another socket; links survive, the peers follow. The old one is still open while the new one is
    /// opened, so the same address cannot be asked for again; port 0 can.
    ///
    /// # Errors
    /// If the address cannot be had; the old socket stays.
    pub fn rebind(&self, listen: SocketAddr) -> Result<(), BindError> {
        let failed = |error| BindError::Socket { listen, error };
        let socket = open_switch(listen, &self.inner.around.relays).map_err(failed)?;
        self.inner.quinn.rebind_abstract(socket).map_err(failed)
    }

    /// Closes all connections, tells the peers, and waits a moment for them to hear it.
    pub async fn close(&self) {
        self.inner.quinn.close(CloseCode::Done.to_wire(), b"");
        let _ = timeout(FAREWELL_MAX, self.inner.quinn.wait_idle()).await;
    }
}

fn open_switch(listen: SocketAddr, relays: &Arc<Relays>) -> io::Result<Arc<Switch>> {
    let wire = TokioRuntime.wrap_udp_socket(socket::open(listen)?)?;
    Ok(Arc::new(Switch::new(wire, Arc::clone(relays))?))
}

fn server_config(identity: &Identity) -> Result<quinn::ServerConfig, rustls::Error> {
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls::server(identity)?));
    config
        .transport_config(tuning::for_callers())
        .migration(true)
        .max_incoming(INCOMING_WAITING_MAX)
        .incoming_buffer_size(INCOMING_WAITING_MAX_BYTES)
        .incoming_buffer_size_total(ALL_INCOMING_WAITING_MAX_BYTES);
    Ok(config)
}

/// For who comes through a relay, and stays there: a packet of his from elsewhere is not his.
fn relayed_server_config(mut config: quinn::ServerConfig) -> quinn::ServerConfig {
    config.transport_config(tuning::for_relayed_callers()).migration(false);
    config
}

fn client_config(
    client: quinn::crypto::rustls::QuicClientConfig,
    tuned: Arc<TransportConfig>,
) -> ClientConfig {
    let mut config = ClientConfig::new(Arc::new(client));
    config.transport_config(tuned);
    config
}

/// Refuses the addresses that stand for devices behind relays: others could name them, but only this endpoint makes them.
fn check_that_it_is_real(to: SocketAddr) -> Result<(), ConnectError> {
    match RelayAddress::of(&to) {
        Some(_) => Err(quinn::ConnectError::InvalidRemoteAddress(to).into()),
        None => Ok(()),
    }
}

/// An IPv4 address as such, even where the socket hears it as IPv6.
pub(crate) fn plain_address(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
