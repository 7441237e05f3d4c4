//! `workspaces/<id>/peers`: what is known of the other devices, so that they are found again after a start, and what this computer
//! placed copies for.
//!
//! ```text
//! "PDpeers\0" ‖ u16 version 2 ‖ u8 min ‖ u8 target ‖ u8 max ‖ peers                            integers big-endian
//! peer: u64 last heard (ms since 1970, 0: unknown) ‖ u8 declared lost ‖ u32 length ‖ signed facts
//! ```
//!
//! Version 1 had the length and the facts alone. Nothing is lost with the file: what a device signed is learnt again from any peer,
//! where it is, by looking around, and how long it has been silent counts anew.

use std::io;
use std::path::{Path, PathBuf};

use ledger::roster::Copies;

const MAGIC: &[u8; 8] = b"PDpeers\0";
const VERSION: u16 = 2;
/// Devices kept at most.
const PEERS_MAX: usize = 4096;
/// Bytes of the facts of one at most.
const FACTS_MAX_BYTES: usize = 4096;

/// The file.
#[derive(Debug, Clone)]
pub struct PeersFile {
    path: PathBuf,
}

/// What it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// What copies were placed for; none when that is not known.
    pub placed_for: Option<Copies>,
    /// The other devices.
    pub peers: Vec<KeptPeer>,
}

/// One other device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptPeer {
    /// When it was last heard, milliseconds since 1970 by this computer's clock; 0 when that is not known.
    pub heard_ms: u64,
    /// A person said that it will not come back.
    pub lost: bool,
    /// What it signed of itself.
    pub facts: Vec<u8>,
}

impl PeersFile {
    /// In the workspace's folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("peers") }
    }

    /// What it holds; nothing where the file is missing, newer or damaged, which is only logged.
    pub fn read(&self) -> Kept {
        match platform::private_file::read(&self.path) {
            Ok(bytes) => decode(&bytes).unwrap_or_else(|| {
                tracing::warn!(path = %self.path.display(), "the list of peers cannot be read; it is made anew");
                Kept::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the list of peers cannot be read");
                Kept::default()
            }
        }
    }

    /// Writes it; a failure is only logged.
    pub fn write(&self, kept: &Kept) {
        if let Err(error) = platform::private_file::replace(&self.path, &encode(kept)) {
            tracing::warn!(path = %self.path.display(), %error, "the list of peers cannot be written");
        }
    }
}

fn encode(kept: &Kept) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_be_bytes());
    out.extend(kept.placed_for.map_or([0; 3], |copies| [copies.min, copies.target, copies.max]));
    for peer in kept.peers.iter().filter(|peer| peer.facts.len() <= FACTS_MAX_BYTES).take(PEERS_MAX) {
        out.extend(peer.heard_ms.to_be_bytes());
        out.push(peer.lost.into());
        out.extend(u32::try_from(peer.facts.len()).expect("facts are short").to_be_bytes());
        out.extend(&peer.facts);
    }
    out
}

fn decode(bytes: &[u8]) -> Option<Kept> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_first_chunk()?;
    let version = u16::from_be_bytes(*version);
    let (placed_for, mut rest) = match version {
        1 => (None, rest),
        VERSION => {
            let ([min, target, max], rest) = rest.split_first_chunk()?;
            let copies = Copies { min: *min, target: *target, max: *max };
            (Some(copies).filter(|copies| copies.target > 0), rest)
        }
        _ => return None,
    };
    let mut peers = Vec::new();
    while !rest.is_empty() {
        let (peer, behind) = decode_peer(rest, version > 1)?;
        if peers.len() == PEERS_MAX {
            return None;
        }
        peers.push(peer);
        rest = behind;
    }
    Some(Kept { placed_for, peers })
}

fn decode_peer(bytes: &[u8], has_silence: bool) -> Option<(KeptPeer, &[u8])> {
    let (mut peer, mut rest) = (KeptPeer::default(), bytes);
    if has_silence {
        let (heard, behind) = rest.split_first_chunk()?;
        let (lost, behind) = behind.split_first()?;
        (peer.heard_ms, peer.lost, rest) = (u64::from_be_bytes(*heard), *lost != 0, behind);
    }
    let (len, behind) = rest.split_first_chunk()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok().filter(|len| *len <= FACTS_MAX_BYTES)?;
    let (facts, behind) = behind.split_at_checked(len)?;
    peer.facts = facts.to_vec();
    Some((peer, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_what_they_were() {
        let kept = Kept {
            placed_for: Some(Copies { min: 2, target: 3, max: 4 }),
            peers: vec![
                KeptPeer { heard_ms: 258, lost: true, facts: b"ab".to_vec() },
                KeptPeer { heard_ms: 0, lost: false, facts: Vec::new() },
            ],
        };
        let golden = b"PDpeers\0\x00\x02\x02\x03\x04\
            \0\0\0\0\0\0\x01\x02\x01\x00\x00\x00\x02ab\
            \0\0\0\0\0\0\0\0\0\x00\x00\x00\x00";
        assert_eq!(encode(&kept), golden);
        assert_eq!(decode(golden).unwrap(), kept);
        let mut newer = golden.to_vec();
        newer[9] = 3;
        assert_eq!(decode(&newer), None);
        assert_eq!(decode(&encode(&Kept::default())), Some(Kept::default()));
    }

    #[test]
    fn the_first_version_still_reads() {
        let older = b"PDpeers\0\x00\x01\x00\x00\x00\x02ab\x00\x00\x00\x00";
        let facts = |facts: &[u8]| KeptPeer { facts: facts.to_vec(), ..KeptPeer::default() };
        let kept = Kept { placed_for: None, peers: vec![facts(b"ab"), facts(b"")] };
        assert_eq!(decode(older), Some(kept));
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(version in 0..4_u16, bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
            let _ = decode(&[&MAGIC[..], &version.to_be_bytes(), &bytes].concat());
        }
    }
}
