//! What a pairing gives to whom.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::fixture::{Device, soon};
use crate::{
    Book, ConnectError, Invitation, Invitations, PAIRED_MESSAGE_MAX_BYTES, PairedChannel, PairingError,
    PairingLink, Secret, Selector, WRONG_TRIES_MAX, pair_as_inviter, pair_as_joiner,
};

/// A book under a lock, as the daemon has one.
struct Shelf(Mutex<Book<&'static str>>);

impl Shelf {
    fn with(secret: Secret) -> Arc<Self> {
        let mut book = Book::new();
        book.add(Invitation { secret, expires_unix_s: 100, grants: "writer" }, 0).unwrap();
        Arc::new(Self(Mutex::new(book)))
    }
}

impl Invitations for Shelf {
    fn secret(&self, selector: Selector) -> Option<Secret> {
        self.0.lock().secret(selector, 0)
    }

    fn tried(&self, selector: Selector, right: bool) {
        self.0.lock().tried(selector, right);
    }
}

type Outcome = Result<PairedChannel, PairingError>;

fn code(text: &str) -> Secret {
    Secret::Code(text.parse().unwrap())
}

fn inviting(link: PairingLink, shelf: &Arc<Shelf>) -> JoinHandle<Outcome> {
    let shelf = Arc::clone(shelf);
    tokio::spawn(async move { pair_as_inviter(link, &*shelf).await })
}

async fn joining(joiner: &Device, to: SocketAddr, secret: &Secret) -> Outcome {
    let link = joiner.endpoint.connect_to_pair(to).await.unwrap();
    pair_as_joiner(link, secret).await
}

/// One pairing between two devices; what the inviter and the joiner have of it.
async fn pair(
    inviter: &mut Device,
    shelf: &Arc<Shelf>,
    joiner: &Device,
    secret: &Secret,
) -> (Outcome, Outcome) {
    inviter.open_pairing();
    let to = inviter.endpoint.address();
    let invite = async { soon(inviting(inviter.pairing().await, shelf)).await.unwrap() };
    tokio::join!(invite, soon(joining(joiner, to, secret)))
}

#[tokio::test]
async fn who_knows_the_secret_gets_a_channel_to_the_right_key() {
    for secret in [code("7-amber-falcon"), Secret::Ticket([3; 16])] {
        let (mut inviter, joiner) = (Device::new(1), Device::new(2));
        let shelf = Shelf::with(secret.clone());
        let (here, there) = pair(&mut inviter, &shelf, &joiner, &secret).await;
        let (mut here, mut there) = (here.unwrap(), there.unwrap());
        assert_eq!(here.peer(), joiner.endpoint.key());
        assert_eq!(there.peer(), inviter.endpoint.key());
        assert_eq!((here.selector(), there.selector()), (secret.selector(), secret.selector()));
        let large = vec![7; PAIRED_MESSAGE_MAX_BYTES];
        let talk = async {
            here.send(b"welcome").await.unwrap();
            here.send(&large).await.unwrap();
            assert_eq!(here.recv().await.unwrap(), b"thanks");
            here.finish().await;
        };
        let answer = async {
            assert_eq!(there.recv().await.unwrap(), b"welcome");
            assert_eq!(there.recv().await.unwrap(), large);
            assert_eq!(there.send(&vec![0; PAIRED_MESSAGE_MAX_BYTES + 1]).await, Err(PairingError::TooLarge));
            there.send(b"thanks").await.unwrap();
            assert_eq!(there.recv().await, Err(PairingError::Finished));
            there.finish().await;
        };
        soon(async { tokio::join!(talk, answer) }).await;
        assert_eq!(shelf.0.lock().take_used(secret.selector()).unwrap().1.grants, "writer");
    }
}

#[tokio::test]
async fn three_wrong_codes_kill_the_invitation_even_for_the_right_one() {
    let (mut inviter, joiner) = (Device::new(1), Device::new(2));
    let right = code("7-amber-falcon");
    let shelf = Shelf::with(right.clone());
    for _ in 0..WRONG_TRIES_MAX {
        let (here, there) = pair(&mut inviter, &shelf, &joiner, &code("7-amber-fabric")).await;
        assert_eq!(here.err(), Some(PairingError::WrongCode));
        assert_eq!(there.err(), Some(PairingError::WrongCode));
    }
    let (here, there) = pair(&mut inviter, &shelf, &joiner, &right).await;
    assert_eq!(here.err(), Some(PairingError::NoInvitation));
    assert_eq!(there.err(), Some(PairingError::NoInvitation));
}

#[tokio::test]
async fn guesses_made_at_once_are_as_many_tries() {
    let mut inviter = Device::new(1);
    inviter.open_pairing();
    let shelf = Shelf::with(code("7-amber-falcon"));
    let joiner = Arc::new(Device::new(2));
    let to = inviter.endpoint.address();
    let guess = |word: &str| {
        let (joiner, secret) = (Arc::clone(&joiner), code(&format!("7-amber-{word}")));
        tokio::spawn(async move { joining(&joiner, to, &secret).await })
    };
    // All have their answer before the first proof is judged, or nearly so; the right one is the last.
    let guesses: Vec<_> = ["fabric", "garden", "maple", "walnut", "ribbon", "winter"].map(guess).into();
    let mut wrong = 0;
    let mut sides = Vec::new();
    for _ in &guesses {
        sides.push(inviting(inviter.pairing().await, &shelf));
    }
    for side in sides {
        match soon(side).await.unwrap().err() {
            Some(PairingError::WrongCode) => wrong += 1,
            other => assert_eq!(other, Some(PairingError::NoInvitation)),
        }
    }
    assert_eq!(wrong, WRONG_TRIES_MAX);
    for guess in guesses {
        assert!(soon(guess).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn whoever_answers_for_the_device_of_a_ticket_is_named() {
    let (inviter, impostor, joiner) = (Device::new(1), Device::new(2), Device::new(3));
    impostor.open_pairing();
    inviter.open_pairing();
    let key = inviter.endpoint.key();
    let caught = soon(joiner.endpoint.connect_to_pair_with(impostor.endpoint.address(), key)).await;
    let Err(ConnectError::WrongPeer { found }) = caught else { panic!("an impostor was believed") };
    assert_eq!(found, impostor.endpoint.key());
    let right = soon(joiner.endpoint.connect_to_pair_with(inviter.endpoint.address(), key)).await.unwrap();
    assert_eq!(right.peer(), key);
}

#[tokio::test]
async fn an_invitation_is_used_once() {
    let (mut inviter, joiner, late) = (Device::new(1), Device::new(2), Device::new(3));
    let secret = code("7-amber-falcon");
    let shelf = Shelf::with(secret.clone());
    let (here, _there) = pair(&mut inviter, &shelf, &joiner, &secret).await;
    assert!(here.is_ok());
    let (here, there) = pair(&mut inviter, &shelf, &late, &secret).await;
    assert_eq!(here.err(), Some(PairingError::NoInvitation));
    assert_eq!(there.err(), Some(PairingError::NoInvitation));
}

/// Passes bytes on until one side ends, and keeps what it saw.
async fn pass_on(mut from: quinn::RecvStream, mut to: quinn::SendStream) -> Vec<u8> {
    let mut seen = Vec::new();
    while let Ok(Some(chunk)) = from.read_chunk(64 << 10, true).await {
        seen.extend_from_slice(&chunk.bytes);
        if to.write_chunk(chunk.bytes).await.is_err() {
            break;
        }
    }
    seen
}

/// A man in the middle: the joiner calls him, he calls the inviter, and every byte is passed on.
async fn stand_between(middle: &mut Device, to: SocketAddr) -> (Vec<u8>, Vec<u8>) {
    let caught = middle.pairing().await;
    let onward = middle.endpoint.connect_to_pair(to).await.unwrap();
    let (joiner_send, joiner_receive) = caught.connection.accept_bi().await.unwrap();
    let (inviter_send, inviter_receive) = onward.connection.open_bi().await.unwrap();
    tokio::join!(pass_on(joiner_receive, inviter_send), pass_on(inviter_receive, joiner_send))
}

#[tokio::test]
async fn a_man_in_the_middle_who_passes_everything_on_gets_nothing() {
    let (mut inviter, mut middle, joiner) = (Device::new(1), Device::new(2), Device::new(3));
    let secret = code("7-amber-falcon");
    let shelf = Shelf::with(secret.clone());
    inviter.open_pairing();
    middle.open_pairing();
    let (to, caught_at) = (inviter.endpoint.address(), middle.endpoint.address());
    let invite = async { soon(inviting(inviter.pairing().await, &shelf)).await.unwrap() };
    let (here, there, seen) = tokio::join!(
        invite,
        async {
            let outcome = soon(joining(&joiner, caught_at, &secret)).await;
            // The joiner's end: the middle has nobody to pass on to any more.
            soon(joiner.endpoint.close()).await;
            outcome
        },
        soon(stand_between(&mut middle, to)),
    );
    assert_eq!(here.err(), Some(PairingError::WrongCode));
    assert!(there.is_err());
    assert!(!seen.0.is_empty() && !seen.1.is_empty(), "he did pass them on");
    assert!(shelf.0.lock().take_used(secret.selector()).is_none());
}

#[tokio::test]
async fn what_was_recorded_cannot_be_said_again() {
    let (mut inviter, mut middle, joiner) = (Device::new(1), Device::new(2), Device::new(3));
    let secret = code("7-amber-falcon");
    let shelf = Shelf::with(secret.clone());
    inviter.open_pairing();
    middle.open_pairing();
    let (to, caught_at) = (inviter.endpoint.address(), middle.endpoint.address());
    let (_, _, seen) = tokio::join!(
        async { soon(inviting(inviter.pairing().await, &shelf)).await.unwrap() },
        async {
            let _ = soon(joining(&joiner, caught_at, &secret)).await;
            soon(joiner.endpoint.close()).await;
        },
        soon(stand_between(&mut middle, to)),
    );
    let link = middle.endpoint.connect_to_pair(to).await.unwrap();
    let invite = inviting(inviter.pairing().await, &shelf);
    let (mut send, _receive) = link.connection.open_bi().await.unwrap();
    soon(send.write_all(&seen.0)).await.unwrap();
    assert_eq!(soon(invite).await.unwrap().err(), Some(PairingError::WrongCode));
    assert!(shelf.0.lock().take_used(secret.selector()).is_none());
}
