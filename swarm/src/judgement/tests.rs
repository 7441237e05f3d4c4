use proptest::prelude::*;

use super::*;

fn key(seed: u8) -> DeviceKey {
    DeviceKey::generate(&mut |buffer: &mut [u8]| buffer.fill(seed))
}

fn workspace() -> WorkspaceId {
    WorkspaceId::from_bytes([5; 16])
}

fn judgement(ids: u8) -> Judgement {
    Judgement {
        judge: key(1).id(),
        asker: key(2).id(),
        issued_ms: 1_767_225_600_000,
        logs: [(key(1).id(), 300), (key(3).id(), 1)].into(),
        dead: (0..ids).map(|number| [number; 32]).collect(),
    }
}

fn signed(ids: u8) -> SignedJudgement {
    SignedJudgement::sign(&key(1), workspace(), judgement(ids)).unwrap()
}

#[test]
fn a_judgement_and_its_record_have_their_bytes() {
    let signed = signed(2);
    let head: String = signed.as_bytes()[..21].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(head, format!("50446a7501{}", "05".repeat(16)));
    assert_eq!(signed.as_bytes().len(), 288);
    let record = ProofRecord { deed: Deed::GivenUp, at_ms: 7, judgement: signed }.encode();
    assert_eq!(record[..13], [2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 1, 32]);
    assert_eq!(blake3::hash(&record).to_hex().as_str(), GOLDEN_HASH);
}

const GOLDEN_HASH: &str = "415587e9442af0fd0179065b29a5b5231826ec5c0b327ca0024ca0aa73a0817e";

#[test]
fn a_judgement_fits_only_its_judge_and_workspace() {
    let signed = signed(3);
    let read = SignedJudgement::decode(signed.as_bytes()).unwrap();
    assert_eq!((read.judgement(), &read), (&judgement(3), &signed));
    assert!(read.is_by(&key(1).public(), &workspace()));
    assert!(!read.is_by(&key(2).public(), &workspace()));
    assert!(!read.is_by(&key(1).public(), &WorkspaceId::from_bytes([6; 16])));
    let mut forged = signed.as_bytes().to_vec();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    let read = SignedJudgement::decode(&forged);
    assert!(read.is_none_or(|read| !read.is_by(&key(1).public(), &workspace())));
}

#[test]
fn a_judge_covers_what_is_needed_or_more() {
    let judgement = judgement(0);
    let needed = |one: u64, three: u64| [(key(1).id(), one), (key(3).id(), three)].into();
    assert!(judgement.covers(&needed(300, 1)) && judgement.covers(&needed(2, 0)));
    assert!(!judgement.covers(&needed(301, 1)) && !judgement.covers(&[(key(2).id(), 1)].into()));
}

#[test]
fn the_longest_judgement_fits() {
    let device = |number: usize| {
        let mut id = [0xff; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        id
    };
    let long = Judgement {
        issued_ms: u64::MAX,
        logs: (0..JUDGED_MAX_LOGS).map(|number| (DeviceId::from_bytes(device(number)), u64::MAX)).collect(),
        dead: (0..JUDGED_MAX_IDS).map(device).collect(),
        ..judgement(0)
    };
    let more = Judgement { dead: (0..=JUDGED_MAX_IDS).map(device).collect(), ..long.clone() };
    let signed = SignedJudgement::sign(&key(1), workspace(), long).unwrap();
    assert!(signed.as_bytes().len() <= JUDGEMENT_MAX_BYTES, "{}", signed.as_bytes().len());
    assert_eq!(SignedJudgement::decode(signed.as_bytes()), Some(signed));
    assert_eq!(SignedJudgement::sign(&key(1), workspace(), more), None);
}

proptest! {
    #[test]
    fn records_are_read_one_after_the_other_up_to_where_they_are_torn(
        ids in prop::collection::vec(0..5_u8, 0..4), cut in any::<prop::sample::Index>()
    ) {
        let record = |ids: &u8| ProofRecord { deed: Deed::Doomed, at_ms: 9, judgement: signed(*ids) };
        let records: Vec<_> = ids.iter().map(record).collect();
        let whole = records.iter().flat_map(ProofRecord::encode).collect::<Vec<_>>();
        let torn = &whole[..cut.index(whole.len() + 1)];
        let (mut at, mut read) = (0, Vec::new());
        while let Some((record, length)) = ProofRecord::decode_first(&torn[at..]) {
            at += length;
            read.push(record);
        }
        prop_assert_eq!(&read[..], &records[..read.len()]);
        prop_assert!(torn.len() < whole.len() || read.len() == records.len());
    }

    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = SignedJudgement::decode(&[b"PDju\x01", &bytes[..]].concat());
        let _ = ProofRecord::decode_first(&bytes);
    }
}
