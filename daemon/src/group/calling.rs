//! One call to a device at all its addresses: the first that answers is taken (after RFC 8305, "happy eyeballs").

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use transport::{Endpoint, Link, PeerKey};

/// Between the first try and the next address's.
const STAGGER: Duration = Duration::from_millis(150);
/// Addresses tried in one call.
const TRIED_MAX: usize = 12;

/// The link to the first address that answers as this peer.
pub async fn first_that_answers(endpoint: &Endpoint, addresses: &[SocketAddr], key: PeerKey) -> Option<Link> {
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
