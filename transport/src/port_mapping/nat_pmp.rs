//! PCP (RFC 6887), and NAT-PMP (RFC 6886) where the router speaks no more than that.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use crab_nat::{InternetProtocol, PortMapping, PortMappingOptions, PortMappingType, TimeoutConfig, natpmp};

use super::{By, LEASE_SECONDS, Mapped, MappingError, RENEW, RENEW_MIN, is_public, own_address};

/// Four tries in under four seconds: most routers do not answer at all.
const PATIENCE: TimeoutConfig =
    TimeoutConfig { initial_timeout: Duration::from_millis(250), max_retries: 3, max_retry_timeout: None };

/// Maps this port, the same number outside if the router likes.
pub(super) async fn map(port: u16, gateway: Ipv4Addr) -> Result<Mapped, MappingError> {
    let port = NonZeroU16::new(port).ok_or(MappingError::NoPort)?;
    let client = own_address((gateway, crab_nat::GATEWAY_PORT).into()).await?;
    let options = PortMappingOptions {
        external_port: Some(port),
        lifetime_seconds: Some(LEASE_SECONDS),
        timeout_config: Some(PATIENCE),
    };
    let mapping = PortMapping::new(gateway.into(), client, InternetProtocol::Udp, port, options).await?;
    told(mapping).await
}

/// Asks for more time.
pub(super) async fn renew(mut mapping: PortMapping) -> Result<Mapped, MappingError> {
    mapping.renew().await?;
    told(mapping).await
}

/// Closes the port outside again.
pub(super) async fn unmap(mapping: PortMapping) {
    if let Err((error, _)) = mapping.try_drop().await {
        tracing::debug!("the router keeps the port open until the lease ends: {error}");
    }
}

/// What a mapping is good for; it is undone if that is nothing.
async fn told(mapping: PortMapping) -> Result<Mapped, MappingError> {
    let ip = match external_ip(&mapping).await {
        Ok(ip) if is_public(ip) => ip,
        useless => {
            unmap(mapping).await;
            return Err(useless.map_or_else(|error| error, MappingError::NotPublic));
        }
    };
    let external = SocketAddr::new(ip, mapping.external_port().get());
    let renew_in = (Duration::from_secs(mapping.lifetime().into()) / 2).clamp(RENEW_MIN, RENEW);
    Ok(Mapped { by: By::NatPmp(mapping), external, renew_in })
}

async fn external_ip(mapping: &PortMapping) -> Result<IpAddr, MappingError> {
    match mapping.mapping_type() {
        PortMappingType::Pcp { external_ip, .. } => Ok(external_ip.to_canonical()),
        PortMappingType::NatPmp => {
            Ok(natpmp::external_address(mapping.gateway(), Some(PATIENCE)).await?.into())
        }
    }
}
