//! Valid checks, tags and signatures around fuzzed bytes. The formats: docs/formats/.

use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use chunkstore::{ChunkId, ChunkKey, ChunkRef};
use ledger::keys::UserKeys;
use ledger::transaction::{SealedTransaction, TransactionHeader, seal};

use crate::cast::Cast;

/// A chunk with this body (codec, payload) sealed as if by a member, and the reference to it.
pub fn chunk(body: &[u8], len: u32) -> (ChunkRef, Vec<u8>) {
    let key = [7; 32];
    let mut sealed = body.to_vec();
    let tag = Aes256GcmSiv::new(&key.into())
        .encrypt_inout_detached(&Nonce::default(), b"", sealed.as_mut_slice().into())
        .expect("short");
    sealed.extend_from_slice(&tag);
    (ChunkRef { id: ChunkId::of(&sealed), key: ChunkKey(key), len }, sealed)
}

/// A record of a pack around a ciphertext.
pub fn record(ciphertext: &[u8]) -> Vec<u8> {
    let mut record = [&b"pdrc"[..], ChunkId::of(ciphertext).as_bytes()].concat();
    record.extend(u32::try_from(ciphertext.len()).expect("short").to_le_bytes());
    record.extend(crc32(&record).to_le_bytes());
    record.extend(ciphertext);
    record
}

/// The header of a pack.
pub fn pack_header() -> Vec<u8> {
    let mut header = b"PDRVPACK\x01\0\0\0sixteen bytes id".to_vec();
    header.extend(crc32(&header).to_le_bytes());
    header
}

/// A key file of this kind and form around a body.
pub fn key_file(magic: &[u8; 8], form: u16, body: &[u8]) -> Vec<u8> {
    let mut file = [&magic[..], &[0, 1], &form.to_be_bytes()].concat();
    file.extend(u32::try_from(body.len()).expect("short").to_be_bytes());
    file.extend(body);
    let check = blake3::derive_key("peerdrive 2026 key file check v1", &file);
    file.extend(&check[..16]);
    file
}

/// A record of the roster for the cast's workspace, with this action as it was encoded, signed by its author.
pub fn roster_record(cast: &Cast, author: &UserKeys, parents: &[[u8; 32]], action: &[u8]) -> Vec<u8> {
    // The least version that knows the action: a policy (5) came with the second.
    let version = if action.first() == Some(&5) { 2 } else { 1 };
    let mut record = [b"PDro\x00", &[version][..], &cast.keyring.workspace.as_bytes()[..]].concat();
    record.push(u8::try_from(parents.len()).expect("few").min(127));
    parents.iter().for_each(|parent| record.extend(parent));
    let public = author.public();
    record.extend(public.signing.as_bytes());
    record.extend(public.agreement.as_bytes());
    record.extend(action);
    let signature = author.sign(&[b"peerdrive 2026 roster record signature v1\0", &record[..]].concat());
    record.extend(signature.to_bytes());
    record
}

/// The log of device `number`: one transaction for each list of edits, sealed and chained as the device would.
pub fn log(cast: &Cast, number: u64, edits: &[&[u8]]) -> Vec<Vec<u8>> {
    let device = cast.device(number);
    let (epoch, key) = &cast.keyring.epochs[0];
    let mut header = TransactionHeader {
        workspace: cast.keyring.workspace,
        device: device.id(),
        sequence: 1,
        realm: cast.keyring.root_realm,
        epoch: *epoch,
        previous: [0; 32],
    };
    let mut log = Vec::new();
    for edits in edits {
        let sealed = seal(&header, edits, key, &device).expect("short, and the device's own");
        header.previous = SealedTransaction::parse(&sealed).expect("just sealed").hash();
        header.sequence += 1;
        log.push(sealed);
    }
    log
}

/// CRC-32 (IEEE 802.3), bit by bit: these are headers.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
