//! Asks the router to let peers in from outside: by PCP or NAT-PMP, else by UPnP. Off unless somebody starts it.
//!
//! ```text
//!  PCP, NAT-PMP ─ no ─▶ UPnP ─ map UDP port for an hour ─▶ external() ─▶ renew at half time ─▶ stop: unmap
//!                        └── no router, or it will not: try again in ten minutes
//! ```
//!
//! Whoever answers as a router is believed no further than this: the address it names is one more to try.

mod gateway;
mod nat_pmp;
#[cfg(test)]
mod tests;
mod upnp;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long the router keeps the mapping when this device vanishes.
const LEASE_SECONDS: u32 = 3600;
const RENEW: Duration = Duration::from_secs(1800);
/// A router that gives less than it was asked for is not asked more often than this.
const RENEW_MIN: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(600);
/// How long stopping waits for the router.
const UNMAP_MAX: Duration = Duration::from_secs(3);

/// Where routers are asked.
#[derive(Clone)]
struct Routers {
    /// Asked by PCP and NAT-PMP; `None` where the system does not say which router it uses.
    gateway: Option<Ipv4Addr>,
    upnp: upnp::Search,
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
    Search(#[from] igd_next::SearchError),
    #[error("this computer has no address towards the router: {0}")]
    Local(#[from] std::io::Error),
    #[error("the router does not say its address: {0}")]
    Address(#[from] igd_next::GetExternalIpError),
    #[error("the router opens no port: {0}")]
    Port(#[from] igd_next::AddAnyPortError),
    #[error("the router opens no port: {0}")]
    Pcp(#[from] crab_nat::MappingFailure),
    #[error("the router does not say its address: {0}")]
    NatPmpAddress(#[from] crab_nat::natpmp::Failure),
    #[error("there is no port 0")]
    NoPort,
    #[error("the router itself has no public address but {0}")]
    NotPublic(IpAddr),
}

/// A mapping as the router made it.
struct Mapped {
    by: By,
    external: SocketAddr,
    renew_in: Duration,
}

/// The protocol that made it, with what it takes to undo it.
enum By {
    NatPmp(crab_nat::PortMapping),
    Upnp(upnp::Router),
}

impl PortMapping {
    /// Asks for this UDP port and keeps asking. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(port: u16) -> Self {
        Self::start_at(port, || Routers { gateway: gateway::default(), upnp: upnp::Search::everywhere() })
    }

    fn start_at(port: u16, routers: impl Fn() -> Routers + Send + Sync + 'static) -> Self {
        let (told, external) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let keeper = tokio::spawn(keep(port, routers, told, stopped));
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
    routers: impl Fn() -> Routers,
    told: watch::Sender<Option<SocketAddr>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut before = None;
    loop {
        let mapped = tokio::select! {
            mapped = map_again(before.take(), port, routers()) => mapped,
            _ = &mut stopped => return,
        };
        let (mapped, pause) = match mapped {
            Ok(mapped) => {
                let pause = mapped.renew_in;
                (Some(mapped), pause)
            }
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
            () = sleep(pause) => before = mapped,
            stop = &mut stopped => return unmap(mapped, stop.is_ok()).await,
        }
    }
}

/// Undoes a mapping, if somebody asked for it.
async fn unmap(mapped: Option<Mapped>, asked: bool) {
    match mapped.filter(|_| asked) {
        Some(Mapped { by: By::NatPmp(mapping), .. }) => nat_pmp::unmap(mapping).await,
        Some(Mapped { by: By::Upnp(router), external, .. }) => upnp::unmap(&router, external.port()).await,
        None => {}
    }
}

/// Renews a mapping where that is a thing of its own; else, and where it fails, asks for one anew.
async fn map_again(before: Option<Mapped>, port: u16, routers: Routers) -> Result<Mapped, MappingError> {
    if let Some(Mapped { by: By::NatPmp(mapping), .. }) = before {
        match nat_pmp::renew(mapping).await {
            Ok(mapped) => return Ok(mapped),
            Err(error) => tracing::debug!("the router does not renew the port: {error}"),
        }
    }
    if let Some(gateway) = routers.gateway {
        match nat_pmp::map(port, gateway).await {
            Ok(mapped) => return Ok(mapped),
            Err(error) => tracing::debug!("{error}"),
        }
    }
    upnp::map(port, &routers.upnp).await
}

/// The address this computer has towards the router.
async fn own_address(gateway: SocketAddr) -> Result<IpAddr, std::io::Error> {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
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
