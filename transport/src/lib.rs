//! The wire: identity, TLS, QUIC, discovery, pairing, rate limits. Knows nothing of files or of what chunks mean.
//!
//! ```text
//!  Endpoint ── connect(address, key) ──▶ Link: frames on four lanes     members, pinned by key
//!     │     ── connect_to_pair(address) ▶ PairingLink ─▶ PairedChannel   SPAKE2 on an invitation's secret
//!     └─ Arrivals: the same two, from others
//!  Discovery ── who is on this network ──▶ addresses to connect to
//! ```
//!
//! | to change | open |
//! |---|---|
//! | what a device shows and checks | [`Identity`], `tls` |
//! | who may come in, floods | `endpoint` |
//! | frames, priorities, back-pressure | `link`, [`Lane`] |
//! | limits of use | [`Rates`], `pace` |
//! | finding others on the network | `discovery` |
//! | being reached from outside | `port_mapping` |
//! | being reached through others | `relay` |
//! | codes, tickets, the exchange | `pairing` |
//!
//! The byte formats are described in `docs/formats/transport.md`.

mod close;
mod counts;
mod discovery;
mod endpoint;
mod key;
mod lane;
mod link;
mod pace;
mod pairing;
mod port_mapping;
mod rates;
mod relay;
#[cfg(test)]
mod tests;
mod tls;

pub use close::{CloseCode, CloseReason, Ended};
pub use counts::Counts;
pub use discovery::{
    Announced, Discovery, DiscoveryError, Found, FoundStream, GROUP_TAG_BYTES, GROUPS_MAX, INVITES_MAX,
};
pub use endpoint::{
    Admission, Arrival, Arrivals, BindError, ConnectError, Endpoint, EndpointConfig, PairingLink,
};
pub use key::{Identity, IdentityError, PEER_KEY_BYTES, PeerKey};
pub use lane::{FRAME_OVERHEAD_BYTES, LANES, Lane};
pub use link::{Link, LinkError, LinkReceiver, LinkSender, TrySendError, release_memory};
pub use pairing::{
    Book, BookFull, CODE_NUMBER_MAX, Code, CodeError, INVITATIONS_MAX, Invitation, InvitationId, Invitations,
    PAIRED_MESSAGE_MAX_BYTES, PairedChannel, PairingError, Secret, Selector, TICKET_ADDRESSES_MAX,
    TICKET_SECRET_BYTES, Ticket, TicketError, WRONG_TRIES_MAX, pair_as_inviter, pair_as_joiner,
};
pub use port_mapping::PortMapping;
pub use rates::{Allowed, HourRule, Rates, TokenBucket, WEEK_MINUTES};
#[doc(hidden)]
pub use relay::decode_relay_datagram_for_fuzzing;
