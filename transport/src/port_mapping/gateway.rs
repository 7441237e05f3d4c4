//! Which router the system uses for everything that is not near.

use std::net::Ipv4Addr;

/// The routes of the system.
#[cfg(target_os = "linux")]
const ROUTES: &str = "/proc/net/route";

/// The IPv4 address of the default router; `None` where there is none, or the system is not asked for it (only Linux is).
pub(super) fn default() -> Option<Ipv4Addr> {
    #[cfg(target_os = "linux")]
    return of_routes(&std::fs::read_to_string(ROUTES).ok()?);
    #[cfg(not(target_os = "linux"))]
    return None;
}

/// The router of the default route with the smallest metric. A line has: interface, destination, gateway, flags, reference
/// count, use, metric, mask …; addresses are hexadecimal in the processor's byte order (Linux, `net/ipv4/fib_trie.c`).
#[cfg(target_os = "linux")]
fn of_routes(table: &str) -> Option<Ipv4Addr> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let (metric, mask) = (fields.nth(3)?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok().filter(|gateway| *gateway != 0)?;
        let is_default = destination == "00000000" && mask == "00000000";
        is_default.then_some((metric.parse::<u32>().ok()?, Ipv4Addr::from(gateway.to_ne_bytes())))
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, gateway)| gateway)
}

#[cfg(all(test, target_os = "linux", target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_default_route_is_taken() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
                     eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                     eth0\t0001A8C0\t00000000\t0001\t0\t0\t1\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(of_routes(table), Some([192, 168, 1, 1].into()));
        assert_eq!(of_routes("Iface\nlo 00000000 00000000 1 0 0 0 00000000\nx\n"), None);
    }
}
