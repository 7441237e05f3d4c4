//! Why an endpoint cannot listen or reach a peer.

use std::io;
use std::net::SocketAddr;

use super::CONNECT_MAX;
use crate::close::Ended;
use crate::key::PeerKey;

/// Why the endpoint cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be had.
    #[error("cannot listen on UDP {listen}: {error}; choose another address or port")]
    Socket {
        /// The address that was asked for.
        listen: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The identity does not make a TLS configuration.
    #[error("TLS cannot be set up with this device's key: {0}")]
    Tls(#[from] rustls::Error),
}

/// Why a peer was not reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Another device answers at the address: a wrong address, or somebody in between.
    #[error("the device at that address is not the expected one but shows the key {found}")]
    WrongPeer {
        /// The key it showed.
        found: PeerKey,
    },
    /// The peer was there but wants no connection, or it broke off.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// No answer in time.
    #[error("nobody answered within {} s", CONNECT_MAX.as_secs())]
    NoAnswer,
    /// The relay has no link to the peer, or passes nothing on.
    #[error("the relay has no connection to it")]
    Absent,
    /// The link to the relay is gone, is relayed itself, or carries no packets large enough (not yet, or not at all).
    #[error("the connection to the relay cannot carry another one")]
    NoRelay,
    /// The address cannot be called from here.
    #[error("the address cannot be called: {0}")]
    Address(#[from] quinn::ConnectError),
    /// The identity does not make a TLS configuration.
    #[error("TLS cannot be set up with this device's key: {0}")]
    Tls(#[from] rustls::Error),
}
