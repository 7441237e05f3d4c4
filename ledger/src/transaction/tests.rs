//! The sealed form: fixed bytes, every kind of tampering, hostile sizes.

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::keys::test_entropy;

fn device(seed: u8) -> DeviceKey {
    DeviceKey::generate(&mut test_entropy(seed))
}

fn epoch_key() -> EpochKey {
    EpochKey::from_bytes([7; 32])
}

fn header() -> TransactionHeader {
    TransactionHeader {
        workspace: WorkspaceId::from_bytes([1; 16]),
        device: device(1).id(),
        sequence: 42,
        realm: RealmId::from_bytes([3; 16]),
        epoch: 4,
        previous: [5; 32],
    }
}

fn sealed(edits: &[u8]) -> Vec<u8> {
    seal(&header(), edits, &epoch_key(), &device(1)).unwrap()
}

/// A header, whatever it says, with a rightful signature: what a hostile member can make.
fn signed_by_hand(header: &TransactionHeader, packed: &[u8]) -> Vec<u8> {
    let mut ciphertext = packed.to_vec();
    let head = header.encode(ciphertext.len() + TAG_BYTES);
    seal_in_place(&header.key(&epoch_key()), header.nonce(), &head, &mut ciphertext);
    let signature = device(1).sign(&signed_message(&head, &ciphertext)).to_bytes();
    [&head[..], &ciphertext, &signature].concat()
}

#[test]
fn bytes_are_fixed() {
    assert_eq!(
        HEXLOWER.encode(&sealed(b"edits")),
        "504474780001000001010101010101010101010101010101e416a0c236ae400342e93963d67ec72e96447a7bf9bc9b22b9388d7268d5f4cb000000000000002a0303030303030303030303030303030300000004050505050505050505050505050505050505050505050505050505050505050500000016ccbcbfde1561794ec37f07e173f223f1ca3bd6cf85a8dd7384e106b0fa8ba2bf4cef8f2145d7dc1dd9516a582b7da8db6827667d304c8a932b6885fd7e53b3e6fcc3b919a5746cd54e543e3d326bdf92fb9cc5c20a03"
    );
    let transaction = sealed(b"edits");
    let hash = SealedTransaction::parse(&transaction).ok().unwrap().hash();
    assert_eq!(HEXLOWER.encode(&hash), "04b5a3500d489eb75efaaa1f3d5e3782ac75d4762dd593a6d9a6de2670c62b98");
}

#[test]
fn what_was_sealed_comes_out_again() {
    let compressible = vec![b'x'; MAX_EDITS_BYTES];
    for edits in [&b""[..], b"e", b"edits", &compressible] {
        let bytes = sealed(edits);
        let transaction = SealedTransaction::parse(&bytes).ok().unwrap();
        assert_eq!(transaction.header(), &header());
        assert_eq!(transaction.verify(&device(1).public()), Ok(()));
        assert_eq!(transaction.open(&epoch_key()).unwrap(), edits);
    }
    assert!(sealed(&compressible).len() < 1000, "compressed");
}

#[test]
fn the_largest_incompressible_one_fits_and_one_byte_more_does_not() {
    let mut noise = vec![0; MAX_EDITS_BYTES + 1];
    test_entropy(9)(&mut noise);
    let bytes = sealed(&noise[1..]);
    assert_eq!(bytes.len(), MAX_TRANSACTION_BYTES);
    assert_eq!(SealedTransaction::parse(&bytes).ok().unwrap().open(&epoch_key()).unwrap(), noise[1..]);
    let found = seal(&header(), &noise, &epoch_key(), &device(1));
    assert_eq!(found, Err(TransactionError::TooLarge { bytes: MAX_EDITS_BYTES + 1 }));
}

#[test]
fn every_changed_byte_and_every_cut_is_found() {
    let bytes = sealed(b"edits");
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let outcome = SealedTransaction::parse(&changed).and_then(|t| t.verify(&device(1).public()));
        assert!(outcome.is_err(), "byte {at}");
        assert!(SealedTransaction::parse(&bytes[..at]).is_err(), "length {at}");
    }
    assert!(SealedTransaction::parse(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn only_the_named_device_can_sign() {
    let bytes = sealed(b"edits");
    let transaction = SealedTransaction::parse(&bytes).ok().unwrap();
    assert_eq!(transaction.verify(&device(2).public()), Err(TransactionError::OtherDevice));
    assert_eq!(seal(&header(), b"", &epoch_key(), &device(2)), Err(TransactionError::OtherDevice));
}

#[test]
fn another_key_does_not_open_it() {
    let bytes = sealed(b"edits");
    let transaction = SealedTransaction::parse(&bytes).ok().unwrap();
    assert_eq!(transaction.open(&EpochKey::from_bytes([8; 32])), Err(TransactionError::WrongKey));
}

#[test]
fn a_newer_version_is_told_apart() {
    let mut bytes = sealed(b"edits");
    bytes[5] = 2;
    assert_eq!(SealedTransaction::parse(&bytes).err(), Some(TransactionError::NewerVersion { found: 2 }));
}

#[test]
fn a_member_cannot_make_others_allocate_without_bound() {
    let bomb = zstd::bulk::compress(&vec![0; MAX_EDITS_BYTES + 1], 19).unwrap();
    for packed in [[&[CODEC_ZSTD], &bomb[..]].concat(), vec![CODEC_ZSTD, 1, 2, 3], vec![9, 1], vec![]] {
        let bytes = signed_by_hand(&header(), &packed);
        let outcome = SealedTransaction::parse(&bytes).and_then(|transaction| transaction.open(&epoch_key()));
        assert_eq!(outcome, Err(TransactionError::Malformed));
    }
}

#[test]
fn the_hash_names_the_content_and_not_the_signature() {
    let bytes = sealed(b"edits");
    let mut other_signature = bytes.clone();
    *other_signature.last_mut().unwrap() ^= 1;
    let hash = |bytes: &[u8]| SealedTransaction::parse(bytes).ok().unwrap().hash();
    assert_eq!(hash(&bytes), hash(&other_signature));
    assert_ne!(hash(&bytes), hash(&sealed(b"edit")));
    let next = TransactionHeader { sequence: 43, ..header() };
    assert_ne!(hash(&bytes), hash(&seal(&next, b"edits", &epoch_key(), &device(1)).unwrap()));
}

#[test]
fn equal_edits_look_different_under_each_header() {
    let ciphertext = |header: TransactionHeader| {
        let bytes = seal(&header, b"edits", &epoch_key(), &device(1)).unwrap();
        SealedTransaction::parse(&bytes).ok().unwrap().ciphertext.to_vec()
    };
    let first = ciphertext(header());
    assert_ne!(first, ciphertext(TransactionHeader { sequence: 43, ..header() }));
    assert_ne!(first, ciphertext(TransactionHeader { epoch: 5, ..header() }));
    assert_ne!(first, ciphertext(TransactionHeader { previous: [6; 32], ..header() }));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>, length: u32) {
        let _ = SealedTransaction::parse(&bytes);
        let mut head = header().encode(0);
        head[116..].copy_from_slice(&length.to_be_bytes());
        let _ = SealedTransaction::parse(&[&head[..], &bytes].concat());
    }

    #[test]
    fn any_edits_survive(edits: Vec<u8>) {
        let bytes = sealed(&edits);
        prop_assert_eq!(SealedTransaction::parse(&bytes).unwrap_or_else(|e| panic!("{e}")).open(&epoch_key()).unwrap(), edits);
    }
}
