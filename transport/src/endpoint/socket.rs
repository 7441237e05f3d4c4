//! The one UDP socket, with buffers that hold a burst.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// Wish; the system may give less.
const BUFFER_BYTES: usize = 4 << 20;

/// A socket at an address. `[::]` hears IPv4 too, and where the system has no IPv6 it is `0.0.0.0`.
pub(super) fn open(listen: SocketAddr) -> io::Result<UdpSocket> {
    match open_exactly(listen) {
        Err(error) if is_any_ipv6(listen) && lacks_ipv6(&error) => {
            open_exactly(SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.port())))
        }
        outcome => outcome,
    }
}

fn open_exactly(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
    if is_any_ipv6(listen) {
        socket.set_only_v6(false)?;
    }
    // Smaller buffers are slower, not wrong.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    Ok(socket.into())
}

fn is_any_ipv6(listen: SocketAddr) -> bool {
    listen.is_ipv6() && listen.ip().is_unspecified()
}

fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable)
        || error.raw_os_error().is_some_and(|code| code == AF_NOT_SUPPORTED)
}

/// `EAFNOSUPPORT`, which has no [`io::ErrorKind`].
#[cfg(unix)]
const AF_NOT_SUPPORTED: i32 = 97;
/// `WSAEAFNOSUPPORT`.
#[cfg(not(unix))]
const AF_NOT_SUPPORTED: i32 = 10_047;
