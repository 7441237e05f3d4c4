use proptest::prelude::*;

use super::*;

fn key(seed: u8) -> DeviceKey {
    DeviceKey::generate(&mut |buffer: &mut [u8]| buffer.fill(seed))
}

fn workspace() -> WorkspaceId {
    WorkspaceId::from_bytes([5; 16])
}

fn facts(seed: u8) -> Facts {
    Facts {
        device: key(seed).id(),
        issued_ms: 1_767_225_600_000,
        contributed_bytes: 10 << 30,
        used_bytes: 77,
        full: false,
        site: "attic".to_owned(),
        addresses: vec!["192.168.1.2:4433".parse().unwrap(), "[fe80::1]:9".parse().unwrap()],
        safe_through: 12,
        capabilities: 1,
    }
}

#[test]
fn facts_have_their_bytes() {
    let signed = SignedFacts::sign(&key(1), workspace(), facts(1));
    let body: String = signed.as_bytes()[..21].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(body, format!("5044666301{}", "05".repeat(16)));
    assert_eq!(signed.as_bytes().len(), 164);
    assert_eq!(blake3::hash(signed.as_bytes()).to_hex().as_str(), GOLDEN_HASH);
}

const GOLDEN_HASH: &str = "27b02bb9f215dee1a888c74b20d90b8b152f6499a127f4d09f2a8c8e48886d7d";

#[test]
fn facts_come_back_and_fit_only_their_device_and_workspace() {
    let signed = SignedFacts::sign(&key(1), workspace(), facts(1));
    let read = SignedFacts::decode(signed.as_bytes()).unwrap();
    assert_eq!((read.facts(), &read), (&facts(1), &signed));
    assert_eq!(read.verify(&key(1).public(), &workspace()), Ok(()));
    assert_eq!(read.verify(&key(2).public(), &workspace()), Err(FactsError::Signature));
    let elsewhere = WorkspaceId::from_bytes([6; 16]);
    assert_eq!(read.verify(&key(1).public(), &elsewhere), Err(FactsError::Signature));
}

#[test]
fn the_longest_facts_fit() {
    let long = Facts {
        site: "x".repeat(99),
        addresses: vec!["[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap(); 99],
        issued_ms: u64::MAX,
        contributed_bytes: u64::MAX,
        used_bytes: u64::MAX,
        safe_through: u64::MAX,
        capabilities: u32::MAX,
        ..facts(1)
    };
    let signed = SignedFacts::sign(&key(1), workspace(), long);
    assert!(signed.as_bytes().len() <= FACTS_MAX_BYTES);
    let read = SignedFacts::decode(signed.as_bytes()).unwrap();
    assert_eq!((read.facts().site.len(), read.facts().addresses.len()), (SITE_MAX_BYTES, ADDRESSES_MAX));
}

#[test]
fn a_newer_version_is_named() {
    let mut bytes = SignedFacts::sign(&key(1), workspace(), facts(1)).as_bytes().to_vec();
    bytes[4] = 2;
    assert_eq!(SignedFacts::decode(&bytes), Err(FactsError::Newer { found: 2 }));
}

proptest! {
    #[test]
    fn any_bytes_are_safe(tail in proptest::collection::vec(any::<u8>(), 0..300), headed: bool) {
        let head = if headed { &b"PDfc\x01"[..] } else { b"" };
        let _ = SignedFacts::decode(&[head, &tail].concat());
    }

    #[test]
    fn a_changed_byte_is_not_believed(at: prop::sample::Index, change in 1..=255_u8) {
        let mut bytes = SignedFacts::sign(&key(1), workspace(), facts(1)).as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        let believed = SignedFacts::decode(&bytes).and_then(|read| read.verify(&key(1).public(), &workspace()));
        prop_assert!(believed.is_err());
    }
}
