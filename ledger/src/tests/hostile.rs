//! Bytes that mean harm: every decoder answers, whatever it is given.

use proptest::prelude::*;

use super::fixture::{Cast, at, single};
use crate::edit::{Edit, Spot, Stamped, encode_list};
use crate::identity::DeviceTag;
use crate::node::InodeId;
use crate::stamp::Stamp;
use crate::transaction::{SealedTransaction, TransactionHeader, seal};
use crate::tree::{VersionRow, decode_slot};
use crate::{Accepted, Kind, ROOT, Time, decode_edits, decode_inode_row};

proptest! {
    #[test]
    fn decoders_answer_on_random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_inode_row(&bytes);
        let _ = decode_edits(&bytes);
        let _ = decode_slot(&bytes);
        let _ = VersionRow::decode(&bytes);
        let mut with_format = vec![1];
        with_format.extend(&bytes);
        let _ = decode_inode_row(&with_format);
        let _ = decode_edits(&with_format);
        let _ = VersionRow::decode(&with_format);
    }

    #[test]
    fn accepting_random_bytes_changes_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut ledger = single();
        let before = ledger.digest().unwrap();
        prop_assert!(matches!(ledger.accept(at(1), &bytes).unwrap(), Accepted::Refused(_)));
        prop_assert_eq!(ledger.digest().unwrap(), before);
    }

    // A member's device may say anything: wild ids, files as parents, loops, links of directories.
    #[test]
    fn wild_edits_of_a_member_leave_a_sound_tree(
        edits in proptest::collection::vec((0..8u8, 0..6u64, 0..6u64, 0..3u8, any::<bool>()), 1..60),
    ) {
        let cast = Cast::new();
        let mut devices = cast.devices(2);
        let own = cast.device(1).id().tag();
        let founder = cast.device(0).id().tag();
        let id = |n: u64| match n {
            0 => InodeId::ROOT,
            n if n % 2 == 0 => InodeId { device: founder, number: n },
            n => InodeId { device: own, number: n },
        };
        let time = Time { secs: 5, nanos: 0 };
        let list: Vec<Stamped> = edits.iter().enumerate().map(|(index, (verb, a, b, name, flag))| {
            let at = Spot { parent: id(*b), name: vec![b'a' + name] };
            let kind = if *flag { Kind::Directory } else { Kind::File };
            let edit = match verb {
                0..3 => Edit::Create { number: *a, at, kind, mode: 0, uid: 0, gid: 0, rdev: 0, target: vec![], time },
                3 => Edit::Link { number: *a + 50, inode: id(*a), at, time },
                4..6 => Edit::Move { entry: id(*a), inode: id(*a), from: at.clone(), to: at, time },
                6 => Edit::Delete { entry: id(*a), inode: id(*a), at, seen: vec![], time },
                _ => Edit::Publish {
                    inode: id(*a), parents: vec![], size: 1, mtime: time, content: crate::Content::empty(),
                },
            };
            let clock = (1_767_225_600_000u64 << 16) + 1_000_000 + index as u64;
            Stamped { stamp: Stamp { clock, device: own }, edit }
        }).collect();
        let header = TransactionHeader {
            workspace: cast.keyring.workspace, device: cast.device(1).id(), sequence: 1,
            realm: cast.keyring.root_realm, epoch: cast.keyring.epochs[0].0, previous: [0; 32],
        };
        let sealed = seal(&header, &encode_list(&list), &cast.keyring.epochs[0].1, &cast.device(1)).unwrap();
        prop_assert!(SealedTransaction::parse(&sealed).is_ok());
        let accepted = devices[0].accept(at(100_000), &sealed).unwrap();
        prop_assert!(matches!(accepted, Accepted::Applied(_)), "{:?}", accepted);
        devices[0].digest().unwrap();
        devices[0].create_node(at(100_000), ROOT, b"fresh", super::fixture::node(Kind::File)).unwrap();
        let model = super::model::Model::of(&[list, devices[0].own_edits_for_test()].concat()).lines();
        prop_assert_eq!(super::model::lines_of(&devices[0]), model);
    }
}

#[test]
fn device_indexes_out_of_range_are_refused() {
    let edit =
        Edit::Xattr { inode: InodeId { device: DeviceTag(9), number: 3 }, name: b"n".to_vec(), value: None };
    let stamped = Stamped { stamp: Stamp { clock: 5, device: DeviceTag(7) }, edit };
    let mut bytes = encode_list(&[stamped]);
    assert_eq!(decode_edits(&bytes), Ok(1));
    // The edit's device index stands after format, device table, count, stamp and verb.
    let index = 1 + 1 + 8 + 1 + 1 + 1;
    assert_eq!(bytes[index], 2);
    bytes[index] = 3;
    assert!(decode_edits(&bytes).is_err());
}
