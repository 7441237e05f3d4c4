//! Bytes that must never change without a new format number.

use std::sync::Arc;

use crate::edit::{Again, Edit, Group, List, Spot, Stamped, decode_list, encode_again, encode_list};
use crate::identity::DeviceTag;
use crate::node::InodeId;
use crate::stamp::{Stamp, VersionId};
use crate::tree::{
    Born, Claim, HeadRow, InodeRow, Link, Place, Shown, VersionBody, VersionRow, cookie_of, decode_slot,
    displaced_name, encode_slot, version_key,
};
use crate::{ChunkRef, Content, Kind, Page, Piece, Time};

const OWN: DeviceTag = DeviceTag(0x1122_3344_5566_7788);
const OTHER: DeviceTag = DeviceTag(0xaabb_ccdd_eeff_0011);
const CLOCK: u64 = 1_767_225_600_000 << 16;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stamp(steps: u64, device: DeviceTag) -> Stamp {
    Stamp { clock: CLOCK + steps, device }
}

fn time(secs: i64, nanos: u32) -> Time {
    Time { secs: 1_767_225_600 + secs, nanos }
}

fn chunk(fill: u8) -> ChunkRef {
    ChunkRef { id: [fill; 32], key: [fill + 1; 32], len: 4096 }
}

fn small_file() -> InodeRow {
    let id = InodeId { device: OWN, number: 5 };
    let born = Born { stamp: stamp(0, OWN), kind: Kind::File, rdev: 0, target: Vec::new(), time: time(0, 7) };
    let place = Place {
        parent: 1,
        name: b"note.txt".to_vec(),
        deleted: false,
        stamp: stamp(0, OWN),
        origin: None,
        seen: Vec::new(),
    };
    let mut row = InodeRow::unborn(id);
    row.atime = born.time;
    row.born = Some(born);
    row.mode.set(0o644, stamp(0, OWN));
    row.owner.set((1000, 1000), stamp(0, OWN));
    row.mtime.set(time(1, 9), stamp(65_536_000, OWN));
    row.ctime = time(1, 9);
    row.links = vec![Link { counted: Some(1), shown: Shown::AsPlaced, ..Link::new(id, place) }];
    row.head = Some(HeadRow {
        id: VersionId(stamp(65_536_000, OWN)),
        parents: Vec::new(),
        size: 2,
        mtime: time(1, 9),
        content: Some(Arc::new(Content::Inline(b"hi".to_vec()))),
    });
    row
}

fn rare_row() -> InodeRow {
    let mut row = small_file();
    row.id = InodeId { device: OTHER, number: 3 };
    if let Some(born) = &mut row.born {
        born.stamp.device = OTHER;
        born.rdev = 0x801;
        born.target = b"to".to_vec();
    }
    row.mode.stamp = stamp(9, OWN);
    row.ctime = time(2, 1);
    row.atime = time(3, 1);
    row.links[0].entry = InodeId { device: OWN, number: 77 };
    row.links[0].place.deleted = true;
    row.links[0].place.seen = vec![VersionId(stamp(1, DeviceTag(1)))];
    row.links[0].place.origin = Some((4, b"old".to_vec()));
    row.links[0].shown = Shown::At(8, b"aside".to_vec());
    row.links[0].counted = Some(9);
    row.links[0].fallback = 1;
    row.links[0].displaced = true;
    row.others = vec![VersionId(stamp(2, OTHER))];
    row.alias = Some(6);
    (row.supports, row.entries, row.subdirs) = (3, 2, 1);
    (row.xattrs, row.shadowed, row.contested, row.expired) = (1, 2, true, true);
    row
}

#[test]
fn inode_rows() {
    for (row, golden) in [(small_file(), SMALL_FILE), (rare_row(), RARE_ROW)] {
        let bytes = row.encode(5, OWN);
        assert_eq!(hex(&bytes), golden);
        assert_eq!(InodeRow::decode(&bytes, 5, OWN).unwrap(), row);
        let newer = [&[2], &bytes[1..]].concat();
        assert_eq!(InodeRow::decode(&newer, 5, OWN), Err(crate::WireError::Newer { found: 2, known: 1 }));
    }
}

fn every_edit() -> Vec<Stamped> {
    let root = |name: &str| Spot { parent: InodeId::ROOT, name: name.as_bytes().to_vec() };
    let own = InodeId { device: OWN, number: 5 };
    let other = InodeId { device: OTHER, number: 6 };
    let seen = vec![VersionId(stamp(1, OTHER))];
    let pages = Content::Pages { fixed: true, depth: 1, pages: vec![Page { chunk: chunk(1), covers: 9 }] };
    let pieces = Content::Chunks { fixed: false, pieces: vec![Piece::Chunk(chunk(3)), Piece::Hole(300)] };
    let create = |number, kind, rdev, target: &[u8]| Edit::Create {
        number,
        at: root("a"),
        kind,
        mode: 0o644,
        uid: 1000,
        gid: 1000,
        rdev,
        target: target.to_vec(),
        time: time(0, 5),
    };
    let publish =
        |content| Edit::Publish { inode: own, parents: seen.clone(), size: 9, mtime: time(-1, 0), content };
    let edits = [
        create(5, Kind::File, 0, b""),
        create(6, Kind::BlockDevice, 7, b""),
        create(7, Kind::Symlink, 0, b"to"),
        Edit::Link { number: 8, inode: other, at: root("b"), time: time(0, 5) },
        Edit::Move { entry: own, inode: own, from: root("a"), to: root("c"), time: time(0, 6) },
        Edit::Delete { entry: other, inode: other, at: root("b"), seen: seen.clone(), time: time(0, 7) },
        Edit::Attributes { inode: own, mode: Some(0o600), owner: Some((1, 2)), mtime: Some(time(9, 9)) },
        Edit::Attributes { inode: own, mode: None, owner: None, mtime: None },
        Edit::Xattr { inode: own, name: b"user.k".to_vec(), value: Some(b"v".to_vec()) },
        Edit::Xattr { inode: own, name: b"user.k".to_vec(), value: None },
        publish(Content::Inline(b"hi".to_vec())),
        publish(pieces),
        publish(pages),
        Edit::Roster(b"record".to_vec()),
    ];
    edits.into_iter().enumerate().map(|(n, edit)| Stamped { stamp: stamp(n as u64 * 3, OWN), edit }).collect()
}

#[test]
fn lists_of_edits() {
    let edits = every_edit();
    let bytes = encode_list(&edits);
    assert_eq!(hex(&bytes), EVERY_EDIT);
    assert_eq!(decode_list(&bytes, OWN).unwrap(), List::Made(edits));
    for cut in 0..bytes.len() {
        assert!(decode_list(&bytes[..cut], OWN).is_err());
    }
    assert_eq!(decode_list(&[3, 0, 0], OWN), Err(crate::WireError::Newer { found: 3, known: 2 }));
}

#[test]
fn edits_that_are_issued_again() {
    let mut edits = every_edit();
    let later = edits.split_off(7);
    let groups = vec![
        Group { carriers: vec![3, 300], edits: vec![edits.swap_remove(3)] },
        Group { carriers: vec![9], edits: vec![later[0].clone(), later[2].clone()] },
    ];
    let again = Again { clock: stamp(99, OWN).clock, groups };
    let bytes = encode_again(&again, OWN);
    assert_eq!(hex(&bytes), AGAIN);
    assert_eq!(decode_list(&bytes, OWN).unwrap(), List::Again(again.clone()));
    for cut in 0..bytes.len() {
        assert!(decode_list(&bytes[..cut], OWN).is_err());
    }
    // No edit is later than the log was then.
    let early = Again { clock: stamp(0, OWN).clock, ..again };
    assert!(decode_list(&encode_again(&early, OWN), OWN).is_err());
}

#[test]
fn versions_slots_and_names() {
    let body = VersionBody {
        parents: vec![VersionId(stamp(1, OTHER))],
        size: 2,
        mtime: time(0, 3),
        content: Content::Inline(b"hi".to_vec()),
    };
    let row = VersionRow { replaced: Some(stamp(4, OWN)), body: Some(body) };
    assert_eq!(hex(&row.encode()), VERSION);
    assert_eq!(VersionRow::decode(&row.encode()).unwrap(), row);
    assert_eq!(hex(&version_key(5, VersionId(stamp(1, OTHER)))), VERSION_KEY);
    let claims = vec![
        Claim { ino: 300, kind: Kind::Directory, entry: None, displaced: false },
        Claim { ino: 5, kind: Kind::File, entry: Some(InodeId { device: OWN, number: 9 }), displaced: true },
    ];
    assert_eq!(hex(&encode_slot(&claims)), SLOT);
    assert_eq!(decode_slot(&encode_slot(&claims)).unwrap(), claims);
    assert_eq!(cookie_of(b"note.txt"), COOKIE);
    let aside = displaced_name(b"note.txt", InodeId { device: OWN, number: 9 });
    assert_eq!(String::from_utf8(aside).unwrap(), ASIDE);
}

const SMALL_FILE: &str =
    "01fa0701019b76daa800000080e4ad950d07a403e807e8078080c03e0000020209010002686901086e6f74652e747874";
const RARE_ROW: &str = "01a71caabbccddeeff00110301019b76daa800000080e4ad950d07811002746fa4031201e807e80700018080c03e010002020901000268690401060101ff0111223344556677884d000101086e6f74652e747874010202000000000000000104036f6c64090805617369646503020101040006010203";
const EVERY_EDIT: &str = "0101aabbccddeeff00110e808080c0aadbddcd01010501010161a403e807e8070005030f0601010161a403e807e80700050700030b0701010161a403e807e80700050002746f0310080206010101620005031100050005010101610101016300060312020602060101016201021c0007031307000580030102120903130000050315000506757365722e6b01760314000506757365722e6b0316000501023a0901000002686903160005010240090100010281200303030303030303030303030303030303030303030303030303030303030303040404040404040404040404040404040404040404040404040404040404040400ac0203160005010246090100040101812001010101010101010101010101010101010101010101010101010101010101010202020202020202020202020202020202020202020202020202020202020202090317067265636f7264";
const AGAIN: &str = "0201aabbccddeeff0011e38080c0aadbddcd01020203a90201898080c0aadbddcd01100802060101016200050109020c130000050614000506757365722e6b";
const VERSION: &str =
    "0103019b76daa8000004112233445566778801019b76daa8000001aabbccddeeff00110280e4ad950d0300026869";
const VERSION_KEY: &str = "0000000000000005019b76daa8000001aabbccddeeff0011";
const SLOT: &str = "02ac023105112233445566778809";
const COOKIE: u64 = 4_405_174_071_220_349_529;
const ASIDE: &str = "note.txt (file 6ffe3084)";
