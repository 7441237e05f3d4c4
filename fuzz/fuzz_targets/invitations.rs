//! What comes from other computers before anything is proven: codes and tickets as people type them, announcements as
//! the network brings them.
#![no_main]

use fuzz::{join_parts, parts, seeds};
use libfuzzer_sys::fuzz_target;
use transport::{Announced, Code, GROUPS_MAX, INVITES_MAX, PeerKey, Ticket};

/// Version, key, groups and invites, in the order of the parts.
const NAMES: [&str; 4] = ["v", "k", "g", "i"];

fn announced() -> Announced {
    Announced { key: PeerKey([1; 32]), port: 4711, groups: vec![[2; 8]; 2], invites: vec![7, 12] }
}

fn seeds() -> Vec<Vec<u8>> {
    let ticket = Ticket {
        key: PeerKey([1; 32]),
        addresses: ["192.0.2.1:4711", "[2001:db8::1]:4711"]
            .map(|text| text.parse().expect("an address"))
            .into(),
        secret: [2; 16],
        expires_unix_s: 1 << 40,
    };
    let record = announced().to_txt();
    let record = join_parts(record.iter().map(|(_, value)| value.as_bytes()));
    vec![b"7-amber-falcon".to_vec(), b"12 ambr FALCON".to_vec(), ticket.to_string().into_bytes(), record]
}

fuzz_target!(
    init: seeds::plant(seeds()),
    |data: &[u8]| {
        announcement(data);
        let Ok(text) = std::str::from_utf8(data) else { return };
        if let Ok(code) = text.parse::<Code>() {
            assert!(code.to_string().parse() == Ok(code));
        }
        if let Ok(ticket) = text.parse::<Ticket>() {
            assert!(ticket.to_string().parse() == Ok(ticket));
        }
    }
);

fn announcement(data: &[u8]) {
    let values: Vec<_> = parts(data).into_iter().map(std::str::from_utf8).collect();
    let value = |name: &str| {
        let at = NAMES.iter().position(|known| *known == name)?;
        values.get(at)?.ok()
    };
    if let Some(read) = Announced::of_txt(4711, value) {
        assert!(read.groups.len() <= GROUPS_MAX && read.invites.len() <= INVITES_MAX);
        let written = read.to_txt();
        let again =
            |name: &str| written.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(Announced::of_txt(4711, again), Some(read));
    }
}
