//! What a device announces, as the TXT record of its service.
//!
//! ```text
//!  v=1   k=<base32 of the key>   g=<base32 of a tag>,…   i=7,12          g and i are left out when empty
//! ```

use data_encoding::BASE32_NOPAD_NOCASE;

use super::Announced;
use crate::key::{PEER_KEY_BYTES, PeerKey};

/// Bytes of a workspace's tag.
pub const GROUP_TAG_BYTES: usize = 8;
/// Tags announced.
pub const GROUPS_MAX: usize = 8;
/// Numbers of codes announced.
pub const INVITES_MAX: usize = 8;

const VERSION: &str = "1";
/// A TXT string has at most 255 bytes with its name.
const VALUE_MAX_BYTES: usize = 253;

pub(super) fn write(announced: &Announced) -> Vec<(&'static str, String)> {
    let mut properties = vec![("v", VERSION.to_owned()), ("k", base32(&announced.key.0))];
    let groups: Vec<_> = announced.groups.iter().take(GROUPS_MAX).map(|tag| base32(tag)).collect();
    let invites: Vec<_> = announced.invites.iter().take(INVITES_MAX).map(u16::to_string).collect();
    for (name, list) in [("g", groups), ("i", invites)] {
        if !list.is_empty() {
            properties.push((name, list.join(",")));
        }
    }
    properties
}

/// `None` for anything that is not written like this; a later version is ignored, not guessed at.
pub(super) fn read<'a>(port: u16, property: impl Fn(&str) -> Option<&'a str>) -> Option<Announced> {
    let bounded = |name: &str| property(name).filter(|value| value.len() <= VALUE_MAX_BYTES);
    if bounded("v") != Some(VERSION) || port == 0 {
        return None;
    }
    let key = PeerKey(bytes::<PEER_KEY_BYTES>(bounded("k")?)?);
    let groups = list(bounded("g").unwrap_or(""), GROUPS_MAX, bytes::<GROUP_TAG_BYTES>)?;
    let invites = list(bounded("i").unwrap_or(""), INVITES_MAX, |text| text.parse().ok())?;
    Some(Announced { key, port, groups, invites })
}

fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD_NOCASE.encode(bytes).to_ascii_lowercase()
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE32_NOPAD_NOCASE.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn list<T>(text: &str, at_most: usize, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').filter(|part| !part.is_empty()).take(at_most).map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn read_map(port: u16, map: &HashMap<String, String>) -> Option<Announced> {
        read(port, |name| map.get(name).map(String::as_str))
    }

    fn map(properties: Vec<(&'static str, String)>) -> HashMap<String, String> {
        properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn golden_record() {
        let announced = Announced {
            key: PeerKey(std::array::from_fn(|at| at as u8)),
            port: 4711,
            groups: vec![[1; 8], [0xff; 8]],
            invites: vec![7, 12],
        };
        let expected = [
            ("v", "1"),
            ("k", "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"),
            ("g", "aeaqcaibaeaqc,7777777777776"),
            ("i", "7,12"),
        ];
        assert_eq!(write(&announced), expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(read_map(4711, &map(write(&announced))), Some(announced));
    }

    #[test]
    fn other_versions_are_ignored() {
        let announced = Announced { key: PeerKey([1; 32]), port: 1, groups: vec![], invites: vec![] };
        let mut record = map(write(&announced));
        record.insert("v".into(), "2".into());
        assert_eq!(read_map(1, &record), None);
    }

    proptest! {
        #[test]
        fn anything_may_be_in_a_record(port: u16, record: HashMap<String, String>, k: String, g: String, i: String) {
            let mut record = record;
            record.extend([("v", "1".to_owned()), ("k", k), ("g", g), ("i", i)].map(|(n, v)| (n.to_owned(), v)));
            let _ = read_map(port, &record);
            let announced = Announced { key: PeerKey([1; 32]), port: 1, groups: vec![], invites: vec![] };
            record.extend(map(write(&announced)));
            if let Some(read) = read_map(port, &record) {
                prop_assert!(read.groups.len() <= GROUPS_MAX && read.invites.len() <= INVITES_MAX);
            }
        }

        #[test]
        fn what_is_announced_is_read(key: [u8; 32], port in 1u16.., groups: Vec<[u8; 8]>, invites: Vec<u16>) {
            let announced = Announced { key: PeerKey(key), port, groups, invites };
            let mut expected = announced.clone();
            expected.groups.truncate(GROUPS_MAX);
            expected.invites.truncate(INVITES_MAX);
            prop_assert_eq!(read_map(port, &map(write(&announced))), Some(expected));
        }
    }
}
