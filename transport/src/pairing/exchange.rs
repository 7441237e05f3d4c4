//! The exchange itself, without a network: SPAKE2, bound to both certificates and to this very TLS session.
//!
//! ```text
//!  joiner                                   inviter
//!  Hello{selector, X}     ────────────▶
//!                         ◀────────────     Answer{Y}
//!  JoinerProof            ────────────▶     wrong? a try is counted, and nothing was learnt
//!                         ◀────────────     InviterProof
//!
//!  root = derive(SPAKE2 key ‖ TLS exporter ‖ Hello ‖ Answer)      proofs and channel keys = derive(root)
//! ```
//!
//! The joiner proves first, so whoever guesses a code must show the guess. A man in the middle has two TLS sessions,
//! hence two exporters and other certificates, hence another root on each side, even if he passes every message on.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use spake2::{Ed25519Group, Identity, Password, Spake2};

use super::secret::{SELECTOR_BYTES, Secret, Selector};
use crate::key::PeerKey;

/// Version of the exchange.
const VERSION: u8 = 1;
const KIND_HELLO: u8 = 1;
const KIND_ANSWER: u8 = 2;
const KIND_JOINER_PROOF: u8 = 3;
const KIND_INVITER_PROOF: u8 = 4;

const HEAD_BYTES: usize = 2;
const SPAKE_BYTES: usize = 33;
const PROOF_BYTES: usize = 32;
/// Longest message of the exchange.
pub(super) const MESSAGE_MAX_BYTES: usize = HEAD_BYTES + SELECTOR_BYTES + SPAKE_BYTES;

/// What both ends of one TLS session have, and nobody else.
pub(super) const EXPORTER_BYTES: usize = 32;
pub(super) const EXPORTER_LABEL: &[u8] = b"EXPORTER-peerdrive-pairing-v1";

const ROOT_CONTEXT: &str = "peerdrive 2026 transport pairing root v1";
const JOINER_PROOF_CONTEXT: &str = "peerdrive 2026 transport pairing joiner proof v1";
const INVITER_PROOF_CONTEXT: &str = "peerdrive 2026 transport pairing inviter proof v1";
const TO_INVITER_CONTEXT: &str = "peerdrive 2026 transport pairing to inviter v1";
const TO_JOINER_CONTEXT: &str = "peerdrive 2026 transport pairing to joiner v1";

/// Why a message cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadMessage {
    Malformed,
    Version(u8),
    WrongProof,
}

/// Both keys of the devices, as TLS proved them.
#[derive(Clone, Copy)]
pub(super) struct Parties {
    pub(super) joiner: PeerKey,
    pub(super) inviter: PeerKey,
}

/// Keys of the channel, one for each direction.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct ChannelKeys {
    pub(super) to_inviter: [u8; 32],
    pub(super) to_joiner: [u8; 32],
}

/// What both sides have after the first two messages, if they know the same.
struct Root(Zeroizing<[u8; 32]>);

impl Root {
    fn new(spake: &[u8], exporter: &[u8; EXPORTER_BYTES], hello: &[u8], answer: &[u8]) -> Self {
        // All parts have fixed lengths, so joining them is unambiguous.
        let material = Zeroizing::new([spake, exporter, hello, answer].concat());
        Self(Zeroizing::new(blake3::derive_key(ROOT_CONTEXT, &material)))
    }

    fn derive(&self, context: &str) -> [u8; 32] {
        blake3::derive_key(context, &self.0[..])
    }

    fn proof(&self, kind: u8, context: &str) -> Vec<u8> {
        [&[VERSION, kind][..], &self.derive(context)].concat()
    }

    fn check(&self, message: &[u8], kind: u8, context: &str) -> Result<(), BadMessage> {
        let shown: &[u8; PROOF_BYTES] = body(message, kind)?.try_into().map_err(|_| BadMessage::Malformed)?;
        let right = self.derive(context).ct_eq(shown);
        if right.into() { Ok(()) } else { Err(BadMessage::WrongProof) }
    }

    fn channel_keys(&self) -> ChannelKeys {
        ChannelKeys { to_inviter: self.derive(TO_INVITER_CONTEXT), to_joiner: self.derive(TO_JOINER_CONTEXT) }
    }
}

/// The joiner, after its Hello.
pub(super) struct Joiner {
    spake: Spake2<Ed25519Group>,
    hello: Vec<u8>,
}

/// The joiner, after its proof.
pub(super) struct JoinerProven {
    root: Root,
}

impl Joiner {
    pub(super) fn start(secret: &Secret, parties: Parties) -> (Self, Vec<u8>) {
        let (password, joiner, inviter) = spake_inputs(secret, parties);
        let (spake, x) = Spake2::start_a(&password, &joiner, &inviter);
        let hello = [&[VERSION, KIND_HELLO][..], &secret.selector().to_wire(), &x].concat();
        (Self { spake, hello: hello.clone() }, hello)
    }

    pub(super) fn answered(
        self,
        answer: &[u8],
        exporter: &[u8; EXPORTER_BYTES],
    ) -> Result<(JoinerProven, Vec<u8>), BadMessage> {
        let root = finish(self.spake, body(answer, KIND_ANSWER)?, exporter, &self.hello, answer)?;
        let proof = root.proof(KIND_JOINER_PROOF, JOINER_PROOF_CONTEXT);
        Ok((JoinerProven { root }, proof))
    }
}

impl JoinerProven {
    pub(super) fn proven(self, message: &[u8]) -> Result<ChannelKeys, BadMessage> {
        self.root.check(message, KIND_INVITER_PROOF, INVITER_PROOF_CONTEXT)?;
        Ok(self.root.channel_keys())
    }
}

/// Which invitation a Hello is about.
pub(super) fn selector_of(hello: &[u8]) -> Result<Selector, BadMessage> {
    let (selector, x) = body(hello, KIND_HELLO)?.split_first_chunk().ok_or(BadMessage::Malformed)?;
    if x.len() != SPAKE_BYTES {
        return Err(BadMessage::Malformed);
    }
    Selector::of_wire(selector).ok_or(BadMessage::Malformed)
}

/// The inviter, after its Answer.
pub(super) struct Inviter {
    root: Root,
}

impl Inviter {
    pub(super) fn start(
        secret: &Secret,
        parties: Parties,
        hello: &[u8],
        exporter: &[u8; EXPORTER_BYTES],
    ) -> Result<(Self, Vec<u8>), BadMessage> {
        selector_of(hello)?;
        let (password, joiner, inviter) = spake_inputs(secret, parties);
        let (spake, y) = Spake2::start_b(&password, &joiner, &inviter);
        let answer = [&[VERSION, KIND_ANSWER][..], &y].concat();
        let x = &hello[HEAD_BYTES + SELECTOR_BYTES..];
        let root = finish(spake, x, exporter, hello, &answer)?;
        Ok((Self { root }, answer))
    }

    pub(super) fn proven(self, message: &[u8]) -> Result<(ChannelKeys, Vec<u8>), BadMessage> {
        self.root.check(message, KIND_JOINER_PROOF, JOINER_PROOF_CONTEXT)?;
        let proof = self.root.proof(KIND_INVITER_PROOF, INVITER_PROOF_CONTEXT);
        Ok((self.root.channel_keys(), proof))
    }
}

fn spake_inputs(secret: &Secret, parties: Parties) -> (Password, Identity, Identity) {
    let password = Password::new(&*secret.password());
    (password, Identity::new(&parties.joiner.0), Identity::new(&parties.inviter.0))
}

fn finish(
    spake: Spake2<Ed25519Group>,
    theirs: &[u8],
    exporter: &[u8; EXPORTER_BYTES],
    hello: &[u8],
    answer: &[u8],
) -> Result<Root, BadMessage> {
    let key = Zeroizing::new(spake.finish(theirs).map_err(|_| BadMessage::Malformed)?);
    Ok(Root::new(&key, exporter, hello, answer))
}

/// What follows version and kind.
fn body(message: &[u8], kind: u8) -> Result<&[u8], BadMessage> {
    match message {
        [VERSION, found, body @ ..] if *found == kind => Ok(body),
        [VERSION, ..] | [] => Err(BadMessage::Malformed),
        [version, ..] => Err(BadMessage::Version(*version)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARTIES: Parties = Parties { joiner: PeerKey([1; 32]), inviter: PeerKey([2; 32]) };

    fn secret(text: &str) -> Secret {
        Secret::Code(text.parse().unwrap())
    }

    /// What the inviter says to the joiner's proof, when each side sees its own session and keys.
    fn meet(
        (joiner_secret, joiner_parties, joiner_exporter): (&Secret, Parties, [u8; 32]),
        (inviter_secret, inviter_parties, inviter_exporter): (&Secret, Parties, [u8; 32]),
    ) -> Result<(), BadMessage> {
        let (joiner, hello) = Joiner::start(joiner_secret, joiner_parties);
        let (inviter, answer) = Inviter::start(inviter_secret, inviter_parties, &hello, &inviter_exporter)?;
        let (joiner, proof) = joiner.answered(&answer, &joiner_exporter)?;
        let (inviter_keys, proof) = inviter.proven(&proof)?;
        let joiner_keys = joiner.proven(&proof)?;
        assert_eq!(inviter_keys.to_inviter, joiner_keys.to_inviter);
        assert_eq!(inviter_keys.to_joiner, joiner_keys.to_joiner);
        assert_ne!(inviter_keys.to_joiner, joiner_keys.to_inviter);
        Ok(())
    }

    #[test]
    fn only_the_same_secret_keys_and_session_agree() {
        let right = secret("7-amber-falcon");
        let other = Parties { joiner: PeerKey([3; 32]), ..PARTIES };
        assert_eq!(meet((&right, PARTIES, [9; 32]), (&right, PARTIES, [9; 32])), Ok(()));
        let ticket = Secret::Ticket([7; 16]);
        assert_eq!(meet((&ticket, PARTIES, [9; 32]), (&ticket, PARTIES, [9; 32])), Ok(()));
        let wrong = Err(BadMessage::WrongProof);
        assert_eq!(meet((&secret("7-amber-fabric"), PARTIES, [9; 32]), (&right, PARTIES, [9; 32])), wrong);
        assert_eq!(meet((&right, other, [9; 32]), (&right, PARTIES, [9; 32])), wrong);
        assert_eq!(meet((&right, PARTIES, [8; 32]), (&right, PARTIES, [9; 32])), wrong);
    }

    #[test]
    fn a_recorded_exchange_proves_nothing_a_second_time() {
        let secret = secret("7-amber-falcon");
        let (joiner, hello) = Joiner::start(&secret, PARTIES);
        let (first, answer) = Inviter::start(&secret, PARTIES, &hello, &[9; 32]).unwrap();
        let (_, proof) = joiner.answered(&answer, &[9; 32]).unwrap();
        assert!(first.proven(&proof).is_ok());
        // The same session even, which no attacker can arrange.
        let (second, _) = Inviter::start(&secret, PARTIES, &hello, &[9; 32]).unwrap();
        assert_eq!(second.proven(&proof).err(), Some(BadMessage::WrongProof));
    }

    #[test]
    fn golden_messages() {
        let (joiner, hello) = Joiner::start(&secret("7-amber-falcon"), PARTIES);
        assert_eq!(hello.len(), MESSAGE_MAX_BYTES);
        assert_eq!(hello[..12], [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 7, b'A']);
        assert_eq!(selector_of(&hello), Ok(Selector::Code(7)));
        let (inviter, answer) = Inviter::start(&secret("7-amber-falcon"), PARTIES, &hello, &[9; 32]).unwrap();
        assert_eq!((answer.len(), &answer[..3]), (35, &[1, 2, b'B'][..]));
        let (_, proof) = joiner.answered(&answer, &[9; 32]).unwrap();
        assert_eq!((proof.len(), &proof[..2]), (34, &[1, 3][..]));
        let (_, proof) = inviter.proven(&proof).unwrap();
        assert_eq!((proof.len(), &proof[..2]), (34, &[1, 4][..]));
        let root = Root(Zeroizing::new([5; 32]));
        let derived = data_encoding::HEXLOWER.encode(&root.derive(JOINER_PROOF_CONTEXT)[..8]);
        assert_eq!(derived, "76fe6c538b6c2d39");
    }

    #[test]
    fn a_newer_version_is_named() {
        assert_eq!(selector_of(&[2, 1]), Err(BadMessage::Version(2)));
    }

    proptest! {
        #[test]
        fn any_message_is_taken_or_refused(hello: Vec<u8>, x: [u8; SPAKE_BYTES], message: Vec<u8>) {
            let secret = secret("7-amber-falcon");
            let _ = selector_of(&hello);
            let _ = Inviter::start(&secret, PARTIES, &hello, &[9; 32]);
            let hello = [&[1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 7][..], &x].concat();
            if let Ok((inviter, _)) = Inviter::start(&secret, PARTIES, &hello, &[9; 32]) {
                prop_assert!(inviter.proven(&message).is_err());
            }
            let (joiner, _) = Joiner::start(&secret, PARTIES);
            let _ = joiner.answered(&message, &[9; 32]);
        }
    }
}
