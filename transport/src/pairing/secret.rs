//! What both sides of a pairing know, and how they say which of several they mean.

use zeroize::{Zeroize, Zeroizing};

use super::code::Code;
use super::ticket::TICKET_SECRET_BYTES;

/// Bytes of a selector on the wire.
pub(super) const SELECTOR_BYTES: usize = 9;
const TAG_CODE: u8 = 1;
const TAG_TICKET: u8 = 2;
const TICKET_HASH_BYTES: usize = 8;
const TICKET_HASH_CONTEXT: &str = "peerdrive 2026 transport ticket selector v1";

/// The secret of an invitation.
#[derive(Clone)]
pub enum Secret {
    /// Said aloud.
    Code(Code),
    /// Copied.
    Ticket([u8; TICKET_SECRET_BYTES]),
}

impl Drop for Secret {
    fn drop(&mut self) {
        if let Self::Ticket(secret) = self {
            secret.zeroize();
        }
    }
}

/// Which invitation is meant; tells nothing of its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The one with this number.
    Code(u16),
    /// The one whose secret has this hash. A ticket's secret has 128 bits: nobody finds it from its hash.
    Ticket([u8; TICKET_HASH_BYTES]),
}

impl Secret {
    /// Which invitation this is the secret of.
    #[must_use]
    pub fn selector(&self) -> Selector {
        match self {
            Self::Code(code) => Selector::Code(code.number()),
            Self::Ticket(secret) => {
                let hash = blake3::derive_key(TICKET_HASH_CONTEXT, secret);
                let (prefix, _) = hash.split_first_chunk().expect("a hash is longer than its prefix");
                Selector::Ticket(*prefix)
            }
        }
    }

    /// What goes into SPAKE2.
    pub(super) fn password(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Code(code) => format!("code:{code}").into_bytes(),
            Self::Ticket(secret) => [b"ticket:", &secret[..]].concat(),
        })
    }
}

impl Selector {
    pub(super) fn to_wire(self) -> [u8; SELECTOR_BYTES] {
        let mut wire = [0; SELECTOR_BYTES];
        match self {
            Self::Code(number) => {
                wire[0] = TAG_CODE;
                wire[7..].copy_from_slice(&number.to_be_bytes());
            }
            Self::Ticket(hash) => {
                wire[0] = TAG_TICKET;
                wire[1..].copy_from_slice(&hash);
            }
        }
        wire
    }

    pub(super) fn of_wire(wire: &[u8; SELECTOR_BYTES]) -> Option<Self> {
        let [tag, rest @ ..] = *wire;
        match (tag, rest) {
            (TAG_CODE, [0, 0, 0, 0, 0, 0, high, low]) => Some(Self::Code(u16::from_be_bytes([high, low]))),
            (TAG_TICKET, hash) => Some(Self::Ticket(hash)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn golden_selectors() {
        let code = Secret::Code("7-amber-falcon".parse().unwrap());
        assert_eq!(code.selector().to_wire(), [1, 0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(&code.password()[..], b"code:7-amber-falcon");
        let ticket = Secret::Ticket([5; 16]);
        assert_eq!(ticket.selector().to_wire()[0], 2);
        assert_eq!(&ticket.password()[..], [&b"ticket:"[..], &[5; 16]].concat());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_selector_or_none(wire: [u8; SELECTOR_BYTES]) {
            if let Some(selector) = Selector::of_wire(&wire) {
                prop_assert_eq!(selector.to_wire(), wire);
            }
        }
    }
}
