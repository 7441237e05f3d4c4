//! Tickets to be copied: all that is needed to pair with a device that is not on this network.
//!
//! ```text
//!  "pdt1" ‖ base32( key 32 ‖ secret 16 ‖ expiry u64 ‖ count u8 ‖ (4 ‖ ip 4 | 6 ‖ ip 16) ‖ port u16 … ‖ check 4 )
//! ```
//!
//! Integers are big-endian. The check is the first bytes of BLAKE3 of all before it, so that a slip in copying shows.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use data_encoding::BASE32_NOPAD_NOCASE;
use zeroize::{Zeroize, Zeroizing};

use crate::key::{PEER_KEY_BYTES, PeerKey};

/// Addresses in a ticket.
pub const TICKET_ADDRESSES_MAX: usize = 8;
/// Bytes of a ticket's secret.
pub const TICKET_SECRET_BYTES: usize = 16;

const PREFIX: &str = "pdt1";
const CHECK_BYTES: usize = 4;
/// Text longer than this is no ticket.
const TICKET_MAX_CHARS: usize = 512;

/// A long invitation. It has no `Debug`: it is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Who invites; pinned when its addresses are called.
    pub key: PeerKey,
    /// Where the inviter may be reached; the first [`TICKET_ADDRESSES_MAX`] are written.
    pub addresses: Vec<SocketAddr>,
    /// The secret of the invitation.
    pub secret: [u8; TICKET_SECRET_BYTES],
    /// When it ends, in seconds since 1970.
    pub expires_unix_s: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// Why a text is no ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It does not begin like one.
    #[error("a ticket begins with \"{PREFIX}\"")]
    Prefix,
    /// Letters are missing or wrong.
    #[error("the ticket is damaged; copy all of it again")]
    Damaged,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Zeroizing::new(BASE32_NOPAD_NOCASE.encode(&self.bytes()));
        write!(f, "{PREFIX}{}", text.to_ascii_lowercase())
    }
}

impl Ticket {
    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        // Room for all, so that growing leaves no copy of the secret behind.
        let mut out = Zeroizing::new(Vec::with_capacity(TICKET_MAX_CHARS));
        out.extend_from_slice(&self.key.0);
        out.extend_from_slice(&self.secret);
        out.extend_from_slice(&self.expires_unix_s.to_be_bytes());
        let addresses = &self.addresses[..self.addresses.len().min(TICKET_ADDRESSES_MAX)];
        out.push(u8::try_from(addresses.len()).expect("there are at most eight"));
        for address in addresses {
            write_address(&mut out, *address);
        }
        let check = check(&out);
        out.extend_from_slice(&check);
        out
    }
}

fn write_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(v4) => {
            out.push(4);
            out.extend_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            out.push(6);
            out.extend_from_slice(&v6.octets());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(PREFIX.as_bytes()).update(bytes);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..CHECK_BYTES]);
    check
}

impl FromStr for Ticket {
    type Err = TicketError;

    /// Takes any case, and white space where a mail program broke the line.
    fn from_str(text: &str) -> Result<Self, TicketError> {
        if text.len() > 2 * TICKET_MAX_CHARS {
            return Err(TicketError::Damaged);
        }
        let text: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
        let prefix = text.get(..PREFIX.len()).filter(|prefix| prefix.eq_ignore_ascii_case(PREFIX));
        let rest = &text[prefix.ok_or(TicketError::Prefix)?.len()..];
        let bytes = BASE32_NOPAD_NOCASE.decode(rest.as_bytes()).map_err(|_| TicketError::Damaged)?;
        parse(&Zeroizing::new(bytes)).ok_or(TicketError::Damaged)
    }
}

fn parse(bytes: &[u8]) -> Option<Ticket> {
    let (body, found) = bytes.split_last_chunk::<CHECK_BYTES>()?;
    if check(body) != *found {
        return None;
    }
    let (key, rest) = body.split_first_chunk::<PEER_KEY_BYTES>()?;
    let (secret, rest) = rest.split_first_chunk::<TICKET_SECRET_BYTES>()?;
    let (expires, rest) = rest.split_first_chunk::<8>()?;
    let (count, mut rest) = rest.split_first()?;
    if usize::from(*count) > TICKET_ADDRESSES_MAX {
        return None;
    }
    let mut addresses = Vec::with_capacity(TICKET_ADDRESSES_MAX);
    for _ in 0..*count {
        addresses.push(take_address(&mut rest)?);
    }
    let expires_unix_s = u64::from_be_bytes(*expires);
    rest.is_empty().then_some(Ticket { key: PeerKey(*key), addresses, secret: *secret, expires_unix_s })
}

fn take_address(rest: &mut &[u8]) -> Option<SocketAddr> {
    let (kind, after) = rest.split_first()?;
    let (ip, after) = match kind {
        4 => after.split_first_chunk::<4>().map(|(ip, after)| (IpAddr::V4(Ipv4Addr::from(*ip)), after))?,
        6 => after.split_first_chunk::<16>().map(|(ip, after)| (IpAddr::V6(Ipv6Addr::from(*ip)), after))?,
        _ => return None,
    };
    let (port, after) = after.split_first_chunk::<2>()?;
    *rest = after;
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            key: PeerKey([1; 32]),
            addresses: vec!["192.0.2.1:4711".parse().unwrap(), "[2001:db8::1]:4711".parse().unwrap()],
            secret: [2; 16],
            expires_unix_s: 0x0102_0304,
        }
    }

    #[test]
    fn golden_ticket() {
        let golden = concat!(
            "pdt1aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqeaqcaibaeaqcaibaeaqcaibaeaaaaaaacaqdaqb",
            "ajqaaaiarezygeaaq3oaaaaaaaaaaaaaaaaaaaejgoe6yukqa",
        );
        assert_eq!(ticket().to_string(), golden);
        assert!(golden.parse() == Ok(ticket()));
    }

    #[test]
    fn copying_may_change_case_and_break_lines_but_nothing_else() {
        let text = ticket().to_string();
        let broken = format!(" {}\r\n{}\n", &text[..40].to_uppercase(), &text[40..]);
        assert!(broken.parse() == Ok(ticket()));
        assert!("7-amber-falcon".parse::<Ticket>().err() == Some(TicketError::Prefix));
        for at in PREFIX.len()..text.len() {
            let other = if &text[at..=at] == "a" { "b" } else { "a" };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert!(changed.parse::<Ticket>().err() == Some(TicketError::Damaged), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String, bytes: Vec<u8>) {
            let _ = text.parse::<Ticket>();
            let mut body = bytes;
            let check = check(&body);
            body.extend_from_slice(&check);
            let text = format!("{PREFIX}{}", BASE32_NOPAD_NOCASE.encode(&body));
            if let Ok(ticket) = text.parse::<Ticket>() {
                prop_assert!(ticket.to_string().parse() == Ok(ticket));
            }
        }

        #[test]
        fn what_is_shown_is_read(
            key: [u8; 32], secret: [u8; 16], expires_unix_s: u64, ips: Vec<(IpAddr, u16)>,
        ) {
            let addresses: Vec<SocketAddr> = ips.into_iter().take(TICKET_ADDRESSES_MAX).map(SocketAddr::from).collect();
            let ticket = Ticket { key: PeerKey(key), addresses, secret, expires_unix_s };
            prop_assert!(ticket.to_string().parse() == Ok(ticket));
        }
    }
}
