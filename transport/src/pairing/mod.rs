//! Pairing: two devices that know one secret learn each other's keys, and nobody else learns anything.
//!
//! ```text
//!  Code, Ticket ─▶ Secret ─▶ exchange (SPAKE2, bound to this TLS session) ─▶ PairedChannel: what is handed over
//!  Book: the inviter's open invitations ┘
//! ```

mod book;
mod channel;
mod code;
mod exchange;
mod secret;
mod stream;
mod ticket;

use parking_lot::Mutex;
use tokio::time::timeout;
use zeroize::Zeroizing;

pub use book::{Book, BookFull, INVITATIONS_MAX, Invitation, InvitationId, WRONG_TRIES_MAX};
pub use channel::{PAIRED_MESSAGE_MAX_BYTES, PairedChannel};
pub use code::{CODE_NUMBER_MAX, Code, CodeError};
pub use secret::{Secret, Selector};
pub use ticket::{TICKET_ADDRESSES_MAX, TICKET_SECRET_BYTES, Ticket, TicketError};

use crate::close::{CloseCode, Ended};
use crate::endpoint::{PAIRING_UNPROVEN_MAX, PairingLink};
use exchange::{BadMessage, EXPORTER_BYTES, EXPORTER_LABEL, Inviter, Joiner, MESSAGE_MAX_BYTES, Parties};
use stream::PairingStream;

/// The inviter's open invitations.
pub trait Invitations: Send + Sync {
    /// The secret of an invitation, if it is open.
    fn secret(&self, selector: Selector) -> Option<Secret>;
    /// Told of every proof, right or wrong. After a right one, or too many wrong ones, `secret` must not answer.
    fn tried(&self, selector: Selector, right: bool);
}

/// Why a pairing failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    /// The two sides do not know the same secret, or somebody stands between them.
    #[error("the code is wrong, or somebody stands between the two computers; ask for a new code")]
    WrongCode,
    /// There is no such invitation, or not any more.
    #[error("there is no such open invitation there; ask for a new one")]
    NoInvitation,
    /// The other side speaks another version.
    #[error("the other computer pairs in version {0}, which this one does not know; update the older one")]
    Version(u8),
    /// The other side does not follow the protocol.
    #[error("the other side does not follow the pairing protocol")]
    Malformed,
    /// A message is larger than allowed.
    #[error("a message of the pairing is too large")]
    TooLarge,
    /// A message was changed on its way.
    #[error("a message of the pairing was changed on its way")]
    Tampered,
    /// The other side has nothing more to say.
    #[error("the other side has finished")]
    Finished,
    /// It took too long.
    #[error("the other side took too long to pair")]
    TimedOut,
    /// The connection is gone.
    #[error(transparent)]
    Ended(#[from] Ended),
}

impl From<BadMessage> for PairingError {
    fn from(bad: BadMessage) -> Self {
        match bad {
            BadMessage::Malformed => Self::Malformed,
            BadMessage::Version(version) => Self::Version(version),
            BadMessage::WrongProof => Self::WrongCode,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Role {
    Joiner,
    Inviter,
}

/// Proofs are judged one at a time, or several guesses made at once would be one try.
static JUDGING: Mutex<()> = Mutex::new(());

/// Pairs with a device that called, if it knows the secret of an open invitation.
///
/// # Errors
/// [`PairingError::WrongCode`] if it does not; the log then names its address and key.
pub async fn pair_as_inviter(
    link: PairingLink,
    invitations: &dyn Invitations,
) -> Result<PairedChannel, PairingError> {
    let outcome = timeout(PAIRING_UNPROVEN_MAX, invite(&link, invitations)).await;
    let outcome = outcome.unwrap_or(Err(PairingError::TimedOut));
    let outcome = outcome.map(|(stream, selector, keys)| (stream, selector, keys, Role::Inviter));
    conclude(link, outcome)
}

/// Pairs with a device that was called, if it knows the same secret.
///
/// # Errors
/// [`PairingError::WrongCode`] if it does not, or does not think so.
pub async fn pair_as_joiner(link: PairingLink, secret: &Secret) -> Result<PairedChannel, PairingError> {
    let outcome = timeout(PAIRING_UNPROVEN_MAX, join(&link, secret)).await;
    let outcome = outcome.unwrap_or(Err(PairingError::TimedOut)).map_err(as_joiner);
    conclude(link, outcome.map(|(stream, keys)| (stream, secret.selector(), keys, Role::Joiner)))
}

type Proven = (PairingStream, Selector, exchange::ChannelKeys, Role);

fn conclude(link: PairingLink, outcome: Result<Proven, PairingError>) -> Result<PairedChannel, PairingError> {
    match outcome {
        Ok((stream, selector, keys, role)) => {
            link.set_proven();
            Ok(PairedChannel::new(link, stream, selector, &keys, role))
        }
        Err(error) => {
            let (peer, address) = (link.peer(), link.remote_address());
            tracing::warn!(%peer, %address, "a pairing failed: {error}");
            link.connection.close(close_code(&error).to_wire(), b"");
            Err(error)
        }
    }
}

fn close_code(error: &PairingError) -> CloseCode {
    match error {
        PairingError::NoInvitation => CloseCode::PairingClosed,
        PairingError::WrongCode | PairingError::TimedOut => CloseCode::PairingFailed,
        _ => CloseCode::Protocol,
    }
}

/// What the inviter's closing means to the joiner.
fn as_joiner(error: PairingError) -> PairingError {
    match error {
        PairingError::Ended(Ended::ByPeer { code: CloseCode::PairingFailed, .. }) => PairingError::WrongCode,
        PairingError::Ended(Ended::ByPeer { code: CloseCode::PairingClosed, .. }) => {
            PairingError::NoInvitation
        }
        other => other,
    }
}

async fn invite(
    link: &PairingLink,
    invitations: &dyn Invitations,
) -> Result<(PairingStream, Selector, exchange::ChannelKeys), PairingError> {
    let mut stream = PairingStream::accept(link.connection.clone()).await?;
    let hello = stream.read(MESSAGE_MAX_BYTES).await?;
    let selector = exchange::selector_of(&hello)?;
    let secret = invitations.secret(selector).ok_or(PairingError::NoInvitation)?;
    let parties = Parties { joiner: link.peer, inviter: link.own };
    let (inviter, answer) = Inviter::start(&secret, parties, &hello, &*exporter(link)?)?;
    stream.write(answer).await?;
    let proof = stream.read(MESSAGE_MAX_BYTES).await?;
    let (keys, proof) = judge(invitations, selector, inviter, &proof)?;
    stream.write(proof).await?;
    Ok((stream, selector, keys))
}

fn judge(
    invitations: &dyn Invitations,
    selector: Selector,
    inviter: Inviter,
    proof: &[u8],
) -> Result<(exchange::ChannelKeys, Vec<u8>), PairingError> {
    let _one_at_a_time = JUDGING.lock();
    if invitations.secret(selector).is_none() {
        return Err(PairingError::NoInvitation);
    }
    let judged = inviter.proven(proof);
    invitations.tried(selector, judged.is_ok());
    Ok(judged?)
}

async fn join(
    link: &PairingLink,
    secret: &Secret,
) -> Result<(PairingStream, exchange::ChannelKeys), PairingError> {
    let mut stream = PairingStream::open(link.connection.clone()).await?;
    let parties = Parties { joiner: link.own, inviter: link.peer };
    let (joiner, hello) = Joiner::start(secret, parties);
    stream.write(hello).await?;
    let answer = stream.read(MESSAGE_MAX_BYTES).await?;
    let (joiner, proof) = joiner.answered(&answer, &*exporter(link)?)?;
    stream.write(proof).await?;
    let keys = joiner.proven(&stream.read(MESSAGE_MAX_BYTES).await?)?;
    Ok((stream, keys))
}

fn exporter(link: &PairingLink) -> Result<Zeroizing<[u8; EXPORTER_BYTES]>, PairingError> {
    let mut exporter = Zeroizing::new([0; EXPORTER_BYTES]);
    let exported = link.connection.export_keying_material(&mut exporter[..], EXPORTER_LABEL, b"");
    exported.map_err(|_| Ended::Failed("TLS has no exporter".into()))?;
    Ok(exporter)
}
