//! UPnP: the router is searched by a call to all, and spoken to in HTTP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use igd_next::aio::Gateway;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{PortMappingProtocol, SearchOptions};

use super::{By, LEASE_SECONDS, Mapped, MappingError, RENEW, is_public, own_address};

/// Where routers listen for a search.
const SEARCH_ADDRESS: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);
const SEARCH_MAX: Duration = Duration::from_secs(5);
/// Shown in the router's list.
const DESCRIPTION: &str = "PeerDrive";

/// A router that was found.
pub(super) type Router = Gateway<Tokio>;

/// How a router is searched.
#[derive(Clone)]
pub(super) struct Search {
    pub(super) address: SocketAddr,
    /// Routers that may describe themselves at an address other than their own.
    pub(super) trusted: Vec<IpAddr>,
}

impl Search {
    pub(super) fn everywhere() -> Self {
        Self { address: SEARCH_ADDRESS.into(), trusted: Vec::new() }
    }
}

/// Maps this port by the first router that answers.
pub(super) async fn map(port: u16, search: &Search) -> Result<Mapped, MappingError> {
    let mut options = SearchOptions::default();
    options.broadcast_address = search.address;
    options.allowed_gateway_ips.clone_from(&search.trusted);
    options.timeout = Some(SEARCH_MAX);
    let gateway = search_gateway(options).await?;
    let ip = gateway.get_external_ip().await?;
    if !is_public(ip) {
        return Err(MappingError::NotPublic(ip));
    }
    let local = SocketAddr::new(own_address(gateway.addr).await?, port);
    // The same number outside is easiest to recognise, and a renewal must name the one it renews.
    let same = gateway.add_port(PortMappingProtocol::UDP, port, local, LEASE_SECONDS, DESCRIPTION).await;
    let outside = match same {
        Ok(()) => port,
        Err(_) => gateway.add_any_port(PortMappingProtocol::UDP, local, LEASE_SECONDS, DESCRIPTION).await?,
    };
    Ok(Mapped { by: By::Upnp(gateway), external: SocketAddr::new(ip, outside), renew_in: RENEW })
}

/// Closes the port outside again.
pub(super) async fn unmap(router: &Router, outside: u16) {
    if let Err(error) = router.remove_port(PortMappingProtocol::UDP, outside).await {
        tracing::debug!("the router keeps the port open until the lease ends: {error}");
    }
}
