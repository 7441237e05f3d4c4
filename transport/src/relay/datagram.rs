//! What members say about relayed packets: one QUIC datagram (RFC 9221) each, on the link to the relay.
//!
//! ```text
//!  0  1  version   1
//!  1  1  kind      1 forward, 2 deliver, 3 absent
//!  2  8  device    first bytes of its key: whom it is for (1, 3) or from (2)
//! 10  …  packet    one UDP payload of the relayed connection; none in an absence
//! ```

use bytes::Bytes;

use crate::key::PeerKey;

/// Version of the header.
const RELAY_VERSION: u8 = 1;
/// Bytes before the packet.
pub(crate) const RELAY_HEADER_BYTES: usize = 10;
/// Bytes of a key that name a device to a relay. Who makes a member's key with the same beginning gains
/// nothing: TLS pins the whole.
pub(crate) const SHORT_KEY_BYTES: usize = 8;

/// A device as relays name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ShortKey(pub(crate) [u8; SHORT_KEY_BYTES]);

impl ShortKey {
    pub(crate) fn of(key: &PeerKey) -> Self {
        Self(*key.0.first_chunk().expect("a key is longer"))
    }
}

/// What a datagram says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To a relay: pass it on to this device.
    Forward = 1,
    /// From a relay: it came from this device.
    Deliver = 2,
    /// From a relay: nothing goes to this device from here.
    Absent = 3,
}

const KINDS: [Kind; 3] = [Kind::Forward, Kind::Deliver, Kind::Absent];

/// A datagram with these contents.
pub(crate) fn encode(kind: Kind, device: ShortKey, packet: &[u8]) -> Bytes {
    [&[RELAY_VERSION, kind as u8][..], &device.0, packet].concat().into()
}

/// Takes a datagram apart; `None` if it is none of this version. Any bytes are safe.
pub(crate) fn decode(datagram: &Bytes) -> Option<(Kind, ShortKey, Bytes)> {
    let (header, packet) = datagram.split_first_chunk::<RELAY_HEADER_BYTES>()?;
    let [RELAY_VERSION, kind, device @ ..] = *header else { return None };
    let kind = *KINDS.iter().find(|known| **known as u8 == kind)?;
    // A packet or none, as the kind has it.
    if (kind == Kind::Absent) != packet.is_empty() {
        return None;
    }
    Some((kind, ShortKey(device), datagram.slice(RELAY_HEADER_BYTES..)))
}

/// Decodes a datagram and encodes it again: for the fuzzer, which has no other way in.
#[doc(hidden)]
pub fn decode_relay_datagram_for_fuzzing(bytes: &[u8]) {
    let datagram = Bytes::copy_from_slice(bytes);
    if let Some((kind, device, packet)) = decode(&datagram) {
        assert_eq!(encode(kind, device, &packet), datagram, "one form only");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEVICE: ShortKey = ShortKey(*b"ABCDEFGH");

    #[test]
    fn golden_datagrams() {
        assert_eq!(&encode(Kind::Forward, DEVICE, b"xyz")[..], b"\x01\x01ABCDEFGHxyz");
        assert_eq!(&encode(Kind::Deliver, DEVICE, b"xyz")[..], b"\x01\x02ABCDEFGHxyz");
        assert_eq!(&encode(Kind::Absent, DEVICE, b"")[..], b"\x01\x03ABCDEFGH");
        assert_eq!(ShortKey::of(&PeerKey([7; 32])), ShortKey([7; 8]));
    }

    #[test]
    fn other_versions_kinds_and_lengths_are_not_understood() {
        for wrong in [
            &b"\x02\x01ABCDEFGHx"[..],
            b"\x01\x00ABCDEFGHx",
            b"\x01\x04ABCDEFGHx",
            b"\x01\x01ABCDEFGH",
            b"\x01\x03ABCDEFGHx",
            b"\x01\x01ABCDEFG",
            b"",
        ] {
            assert_eq!(decode(&Bytes::from_static(wrong)), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe_and_have_one_form(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            decode_relay_datagram_for_fuzzing(&bytes);
            decode_relay_datagram_for_fuzzing(&[&[RELAY_VERSION, 1][..], &bytes].concat());
        }
    }
}
