//! Asks the router to let peers in from outside, by UPnP. Off unless somebody starts it.
//!
//! ```text
//!  search router ─▶ map UDP port for an hour ─▶ external() ─▶ renew every half hour ─▶ stop: unmap
//!        └── no router, or it will not: try again in ten minutes
//! ```
//!
//! Whoever answers as a router is believed no further than this: the address it names is one more to try.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use igd_next::aio::Gateway;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{AddAnyPortError, GetExternalIpError, PortMappingProtocol, SearchError, SearchOptions};
use tokio::net::UdpSocket;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Where routers listen for a search.
const SEARCH_ADDRESS: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);
const SEARCH_MAX: Duration = Duration::from_secs(5);
/// How long the router keeps the mapping when this device vanishes.
const LEASE_SECONDS: u32 = 3600;
const RENEW: Duration = Duration::from_secs(1800);
const RETRY: Duration = Duration::from_secs(600);
/// How long stopping waits for the router.
const UNMAP_MAX: Duration = Duration::from_secs(3);
/// Shown in the router's list.
const DESCRIPTION: &str = "PeerDrive";

/// How a router is searched.
#[derive(Clone)]
struct Search {
    address: SocketAddr,
    /// Routers that may describe themselves at an address other than their own.
    trusted: Vec<IpAddr>,
}

/// A port of the router that leads here, kept open until it is stopped. Dropping it lets the lease run out.
pub struct PortMapping {
    external: watch::Receiver<Option<SocketAddr>>,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

/// Why the router does not let peers in.
#[derive(Debug, thiserror::Error)]
enum MappingError {
    #[error("no router answered: {0}")]
    Search(#[from] SearchError),
    #[error("this computer has no address towards the router: {0}")]
    Local(#[from] std::io::Error),
    #[error("the router does not say its address: {0}")]
    Address(#[from] GetExternalIpError),
    #[error("the router opens no port: {0}")]
    Port(#[from] AddAnyPortError),
    #[error("the router itself has no public address but {0}")]
    NotPublic(IpAddr),
}

/// A mapping as the router made it.
struct Mapped {
    gateway: Gateway<Tokio>,
    external: SocketAddr,
}

impl PortMapping {
    /// Asks for this UDP port and keeps asking. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(port: u16) -> Self {
        Self::start_at(port, Search { address: SEARCH_ADDRESS.into(), trusted: Vec::new() })
    }

    fn start_at(port: u16, search: Search) -> Self {
        let (told, external) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let keeper = tokio::spawn(keep(port, search, told, stopped));
        Self { external, stop, keeper }
    }

    /// Where peers outside reach this device; `None` while the router lets nobody in.
    #[must_use]
    pub fn external(&self) -> Option<SocketAddr> {
        *self.external.borrow()
    }

    /// Waits until [`PortMapping::external`] has changed.
    pub async fn changed(&mut self) {
        // Fails only when the keeper is gone, and then nothing changes any more.
        if self.external.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Closes the port again; waits at most 3 s for the router.
    pub async fn stop(self) {
        // The keeper may be gone already, when the runtime is shutting down.
        let _ = self.stop.send(());
        let _ = timeout(UNMAP_MAX, self.keeper).await;
    }
}

async fn keep(
    port: u16,
    search: Search,
    told: watch::Sender<Option<SocketAddr>>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let mapped = tokio::select! {
            mapped = map(port, &search) => mapped,
            _ = &mut stopped => return,
        };
        let (mapped, pause) = match mapped {
            Ok(mapped) => (Some(mapped), RENEW),
            Err(error) => {
                tracing::debug!("no port of the router leads here: {error}");
                (None, RETRY)
            }
        };
        told.send_if_modified(|external| {
            let now = mapped.as_ref().map(|mapped| mapped.external);
            std::mem::replace(external, now) != now
        });
        tokio::select! {
            () = sleep(pause) => {}
            stop = &mut stopped => return unmap(mapped, stop.is_ok()).await,
        }
    }
}

/// Undoes a mapping, if somebody asked for it.
async fn unmap(mapped: Option<Mapped>, asked: bool) {
    let Some(Mapped { gateway, external }) = mapped.filter(|_| asked) else { return };
    if let Err(error) = gateway.remove_port(PortMappingProtocol::UDP, external.port()).await {
        tracing::debug!("the router keeps the port open until the lease ends: {error}");
    }
}

async fn map(port: u16, search: &Search) -> Result<Mapped, MappingError> {
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
    Ok(Mapped { gateway, external: SocketAddr::new(ip, outside) })
}

/// The address this computer has towards the router.
async fn own_address(gateway: SocketAddr) -> Result<IpAddr, std::io::Error> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(gateway).await?;
    Ok(socket.local_addr()?.ip())
}

/// Whether anybody outside could reach it; behind two routers, or a provider's own, nobody can.
fn is_public(ip: IpAddr) -> bool {
    let IpAddr::V4(v4) = ip else { return false };
    let [first, second, ..] = v4.octets();
    let is_providers = first == 100 && (64..128).contains(&second);
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_unspecified()
        || v4.is_multicast()
        || is_providers)
}
