//! One call to a device at all its addresses: the first that answers is taken (after RFC 8305, "happy eyeballs"). Where it
//! has not answered before, relays are asked as well.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use transport::{Endpoint, Link, LinkSender, PeerKey};

/// Between the first try and the next address's.
const STAGGER: Duration = Duration::from_millis(150);
/// Addresses tried in one call.
const TRIED_MAX: usize = 12;

/// The link to this peer that is made first, at an address of its or through a relay.
pub async fn reach(
    endpoint: &Endpoint,
    addresses: &[SocketAddr],
    relays: &[LinkSender],
    key: PeerKey,
) -> Option<Link> {
    tokio::select! {
        Some(direct) = first_that_answers(endpoint, addresses, key) => Some(direct),
        Some(relayed) = first_that_relays(endpoint, relays, key) => Some(relayed),
        else => None,
    }
}

/// The link through the first relay that has one to this peer: each says at once if not.
async fn first_that_relays(endpoint: &Endpoint, relays: &[LinkSender], key: PeerKey) -> Option<Link> {
    for relay in relays {
        match endpoint.connect_through(relay, key).await {
            Ok(link) => return Some(link),
            Err(error) => tracing::debug!(relay = %relay.peer(), %error, "no way through it"),
        }
    }
    None
}

/// The link to the first address that answers as this peer.
async fn first_that_answers(endpoint: &Endpoint, addresses: &[SocketAddr], key: PeerKey) -> Option<Link> {
    let mut calls = JoinSet::new();
    for (at, address) in addresses.iter().copied().take(TRIED_MAX).enumerate() {
        let endpoint = endpoint.clone();
        let wait = STAGGER * u32::try_from(at).unwrap_or(u32::MAX);
        calls.spawn(async move {
            tokio::time::sleep(wait).await;
            let link = endpoint.connect(address, key).await;
            if let Err(error) = &link {
                tracing::debug!(%address, %error, "no answer");
            }
            link.ok()
        });
    }
    while let Some(called) = calls.join_next().await {
        if let Ok(Some(link)) = called {
            return Some(link);
        }
    }
    None
}
