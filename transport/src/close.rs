//! Why a connection ends, as a number on the wire and in words.

use std::fmt;

use quinn::{ConnectionError, VarInt};

/// Why this side ends a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Nothing more to say.
    Done,
    /// The peer is no member any more.
    Removed,
    /// The peer broke the protocol spoken over the link; the text goes to the peer and its log.
    Protocol(&'static str),
    /// A newer link to the same peer is used instead.
    Replaced,
}

impl CloseReason {
    pub(crate) fn code(self) -> CloseCode {
        match self {
            Self::Done => CloseCode::Done,
            Self::Removed => CloseCode::Removed,
            Self::Protocol(_) => CloseCode::Protocol,
            Self::Replaced => CloseCode::Replaced,
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Protocol(text) => text,
            _ => "",
        }
    }
}

/// Why the other side ended a connection. The numbers are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// 0: nothing more to say.
    Done,
    /// 1: this device's key is on none of the other's rosters.
    NotAdmitted,
    /// 2: this device was a member and is none any more.
    Removed,
    /// 3: a newer link is used instead.
    Replaced,
    /// 4: the other side saw something the protocol does not allow.
    Protocol,
    /// 5: too many connections at the moment; a later try may succeed.
    Busy,
    /// 6: there is no open invitation.
    PairingClosed,
    /// 7: the pairing took too long or failed.
    PairingFailed,
    /// A number this version does not know.
    Unknown(u64),
}

const CODES: [CloseCode; 8] = [
    CloseCode::Done,
    CloseCode::NotAdmitted,
    CloseCode::Removed,
    CloseCode::Replaced,
    CloseCode::Protocol,
    CloseCode::Busy,
    CloseCode::PairingClosed,
    CloseCode::PairingFailed,
];

impl CloseCode {
    pub(crate) fn of_wire(code: VarInt) -> Self {
        let number = code.into_inner();
        usize::try_from(number).ok().and_then(|at| CODES.get(at)).copied().unwrap_or(Self::Unknown(number))
    }

    pub(crate) fn to_wire(self) -> VarInt {
        let number = match self {
            Self::Done => 0,
            Self::NotAdmitted => 1,
            Self::Removed => 2,
            Self::Replaced => 3,
            Self::Protocol => 4,
            Self::Busy => 5,
            Self::PairingClosed => 6,
            Self::PairingFailed => 7,
            Self::Unknown(number) => return VarInt::from_u64(number).unwrap_or(VarInt::MAX),
        };
        VarInt::from_u32(number)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "it is done",
            Self::NotAdmitted => "this device is not a member there",
            Self::Removed => "this device was removed from the workspace",
            Self::Replaced => "a newer connection is used instead",
            Self::Protocol => "it saw something the protocol does not allow",
            Self::Busy => "it has too many connections; try again later",
            Self::PairingClosed => "it has no open invitation",
            Self::PairingFailed => "the pairing failed or took too long",
            Self::Unknown(number) => return write!(f, "code {number}; a newer version may know it"),
        })
    }
}

/// Why a connection is not there any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The peer closed it.
    #[error("the peer closed the connection: {code}{}{text}", if .text.is_empty() { "" } else { ": " })]
    ByPeer {
        /// Why.
        code: CloseCode,
        /// What the peer said of it; bounded and printable.
        text: String,
    },
    /// This side closed it.
    #[error("the connection was closed here")]
    Here,
    /// Nothing came from the peer for too long.
    #[error("the peer has not answered for too long")]
    TimedOut,
    /// The connection failed below this crate.
    #[error("the connection failed: {0}")]
    Failed(String),
}

/// Characters of a peer's text that are kept.
const PEER_TEXT_MAX_CHARS: usize = 120;

/// A peer's bytes as text that cannot upset a log.
fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|c| !c.is_control()).take(PEER_TEXT_MAX_CHARS).collect()
}

impl From<ConnectionError> for Ended {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                Self::ByPeer { code: CloseCode::of_wire(close.error_code), text: harmless(&close.reason) }
            }
            ConnectionError::LocallyClosed => Self::Here,
            ConnectionError::TimedOut => Self::TimedOut,
            other => Self::Failed(harmless(other.to_string().as_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_the_wire_do_not_change() {
        for (number, code) in (0u32..).zip(CODES) {
            assert_eq!(code.to_wire(), VarInt::from_u32(number));
            assert_eq!(CloseCode::of_wire(VarInt::from_u32(number)), code);
        }
        assert_eq!(CloseCode::of_wire(VarInt::MAX).to_wire(), VarInt::MAX);
    }

    #[test]
    fn a_peers_text_is_cut_and_stripped() {
        assert_eq!(harmless(b"a\x1b[31m\nb\xff"), "a[31mb\u{fffd}");
        assert_eq!(harmless(&[b'x'; 1000]).len(), PEER_TEXT_MAX_CHARS);
    }
}
