//! What edits on one device do, and what they refuse.

use std::time::Duration;

use super::fixture::{at, commit, file, find, folder, names, node, single, text, write};
use crate::{AttributeChange, Kind, LedgerError, LocalSpace, NewVersion, ROOT, Rename, Time, Unlinked};

#[test]
fn a_made_file_is_found_listed_and_has_its_attributes() {
    let mut ledger = single();
    let made = ledger.create_node(at(5), ROOT, b"a", node(Kind::File)).unwrap();
    assert_eq!((made.mode, made.uid, made.nlink, made.crtime), (0o644, 1000, 1, at(5).wall));
    assert_eq!(ledger.lookup(ROOT, b"a").unwrap().unwrap().ino, made.ino);
    assert_eq!(ledger.inode(made.ino).unwrap().unwrap(), made);
    let root = ledger.inode(ROOT).unwrap().unwrap();
    assert_eq!((root.entries, root.nlink, root.mtime), (1, 2, at(5).wall));
    assert_eq!(ledger.path(made.ino).unwrap().unwrap(), b"/a");
}

#[test]
fn broken_edits_are_refused_and_change_nothing() {
    let mut ledger = single();
    let a = file(&mut ledger, at(1), ROOT, "a");
    let d = folder(&mut ledger, at(1), ROOT, "d");
    file(&mut ledger, at(1), d, "x");
    let before = ledger.digest().unwrap();
    let create = |ledger: &mut crate::Ledger, dir, name: &[u8]| {
        ledger.create_node(at(2), dir, name, node(Kind::File)).map(drop)
    };
    assert!(matches!(create(&mut ledger, ROOT, b"a"), Err(LedgerError::Exists)));
    assert!(matches!(create(&mut ledger, 999, b"b"), Err(LedgerError::NotFound)));
    assert!(matches!(create(&mut ledger, a, b"b"), Err(LedgerError::NotDirectory)));
    for name in [&b""[..], b".", b"..", b"a/b", b"a\0", &[b'x'; 256]] {
        assert!(matches!(create(&mut ledger, ROOT, name), Err(LedgerError::BadName)));
    }
    assert!(matches!(ledger.unlink(at(2), ROOT, b"nothing"), Err(LedgerError::NotFound)));
    assert!(matches!(ledger.unlink(at(2), ROOT, b"d"), Err(LedgerError::NotEmpty)));
    assert!(matches!(ledger.link(at(2), d, ROOT, b"e"), Err(LedgerError::IsDirectory)));
    let mut rename = |from: &[u8], dir, to: &[u8], how| ledger.rename(at(2), (ROOT, from), (dir, to), how);
    assert!(matches!(rename(b"d", d, b"e", Rename::Replace), Err(LedgerError::Loop)));
    assert!(matches!(rename(b"a", ROOT, b"d", Rename::Replace), Err(LedgerError::IsDirectory)));
    assert!(matches!(rename(b"d", ROOT, b"a", Rename::Replace), Err(LedgerError::NotDirectory)));
    assert!(matches!(rename(b"a", ROOT, b"z", Rename::Exchange), Err(LedgerError::NotFound)));
    assert_eq!(ledger.digest().unwrap(), before);
}

#[test]
fn rename_replaces_and_exchanges() {
    let mut ledger = single();
    let a = file(&mut ledger, at(1), ROOT, "a");
    let b = file(&mut ledger, at(1), ROOT, "b");
    ledger.rename(at(2), (ROOT, b"a"), (ROOT, b"b"), Rename::Exchange).unwrap();
    assert_eq!(find(&ledger, "a").unwrap().ino, b);
    let renamed = ledger.rename(at(3), (ROOT, b"b"), (ROOT, b"a"), Rename::Replace).unwrap();
    assert_eq!(renamed.replaced, Some(Unlinked { ino: b, nlink_left: 0 }));
    assert_eq!(find(&ledger, "a").unwrap().ino, a);
    assert_eq!(names(&ledger, ROOT), ["a"]);
}

#[test]
fn hard_links_count_and_the_last_one_going_leaves_nlink_zero() {
    let mut ledger = single();
    let a = file(&mut ledger, at(1), ROOT, "a");
    ledger.link(at(1), a, ROOT, b"b").unwrap();
    assert_eq!(ledger.inode(a).unwrap().unwrap().nlink, 2);
    assert_eq!(ledger.parents(a).unwrap().len(), 2);
    assert_eq!(ledger.unlink(at(2), ROOT, b"a").unwrap(), Unlinked { ino: a, nlink_left: 1 });
    write(&mut ledger, at(3), a, "through b");
    assert_eq!(
        names(&ledger, ROOT),
        ["b"],
        "a write does not bring a deleted name back while another stands"
    );
    assert_eq!(ledger.unlink(at(4), ROOT, b"b").unwrap(), Unlinked { ino: a, nlink_left: 0 });
    assert_eq!(ledger.inode(a).unwrap().unwrap().nlink, 0);
}

#[test]
fn versions_are_kept_restored_and_pruned() {
    let mut ledger = single();
    let a = file(&mut ledger, at(1), ROOT, "a");
    let first = write(&mut ledger, at(1000), a, "one");
    write(&mut ledger, at(2000), a, "two");
    let versions = ledger.versions(a).unwrap();
    assert_eq!(versions.iter().map(|v| v.current).collect::<Vec<_>>(), [true, false]);
    assert_eq!(versions[0].parents, [first]);
    ledger.restore_version(at(3000), a, first).unwrap();
    assert_eq!(text(&ledger, "a").unwrap(), "one");
    let report = ledger.prune(at(100_000), Duration::from_secs(10), 1000).unwrap();
    assert_eq!((report.versions, report.finished), (2, true));
    assert_eq!(ledger.versions(a).unwrap().len(), 1);
    assert!(matches!(ledger.content_of(a, first), Err(LedgerError::NotFound)));
}

#[test]
fn deleted_files_are_listed_revived_and_given_up() {
    let mut ledger = single();
    let d = folder(&mut ledger, at(1), ROOT, "d");
    let a = file(&mut ledger, at(1), d, "a");
    write(&mut ledger, at(2), a, "kept");
    ledger.unlink(at(3), d, b"a").unwrap();
    let (deleted, next) = ledger.deleted(d, b"", 10).unwrap();
    assert_eq!((deleted[0].name.as_slice(), deleted[0].ino, next), (&b"a"[..], a, None));
    ledger.revive(at(4), a, ROOT, b"back").unwrap();
    assert_eq!(text(&ledger, "back").unwrap(), "kept");
    assert!(ledger.deleted(d, b"", 10).unwrap().0.is_empty());
    ledger.unlink(at(5), ROOT, b"back").unwrap();
    let mut contents = 0;
    ledger.for_each_live_content(crate::Cursor::default(), 100, &mut |_| contents += 1).unwrap();
    assert_eq!(contents, 1, "what can be revived is in use");
    ledger.prune(at(1_000_000), Duration::from_secs(1), 100).unwrap();
    assert!(ledger.deleted(ROOT, b"", 10).unwrap().0.is_empty());
    assert!(matches!(ledger.revive(at(1_000_001), a, ROOT, b"x"), Err(LedgerError::Expired)));
    ledger.for_each_live_content(crate::Cursor::default(), 100, &mut |_| contents += 1).unwrap();
    assert_eq!(contents, 1);
}

#[test]
fn deleted_names_come_in_pages() {
    let mut ledger = single();
    for n in 0..10 {
        file(&mut ledger, at(1), ROOT, &format!("f{n}"));
        ledger.unlink(at(2), ROOT, format!("f{n}").as_bytes()).unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), Vec::new());
    loop {
        let (page, next) = ledger.deleted(ROOT, &after, 3).unwrap();
        seen.extend(page.into_iter().map(|entry| entry.name));
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen.len(), 10);
    seen.dedup();
    assert_eq!(seen.len(), 10);
}

#[test]
fn listing_in_steps_gives_every_name_once_in_a_stable_order() {
    let mut ledger = single();
    for n in 0..100 {
        file(&mut ledger, at(1), ROOT, &format!("f{n}"));
        if n == 50 {
            commit(&mut ledger, at(2));
        }
    }
    ledger.unlink(at(3), ROOT, b"f7").unwrap();
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let from = seen.len();
        ledger.list(ROOT, after, 7, &mut seen).unwrap();
        if seen.len() == from {
            break;
        }
        after = seen.last().unwrap().cookie;
        // What goes meanwhile disturbs nothing else.
        ledger.unlink(at(4), ROOT, &seen.last().unwrap().name.clone()).unwrap();
    }
    assert_eq!(seen.len(), 99);
    assert!(seen.windows(2).all(|pair| pair[0].cookie < pair[1].cookie));
    assert!(seen.iter().all(|entry| (16..=1 << 62).contains(&entry.cookie)));
}

#[test]
fn reading_a_large_tree_through_leaves_nothing_in_memory() {
    let mut ledger = single();
    let files: Vec<_> =
        (0..200).map(|number| file(&mut ledger, at(1), ROOT, &format!("f{number}"))).collect();
    commit(&mut ledger, at(2));
    for ino in files {
        ledger.set_atime(ino, at(20).wall).unwrap();
        ledger.touch_ctime(at(21), ino).unwrap();
    }
    assert_eq!(ledger.unsettled_for_test(), 0);
}

#[test]
fn attributes_and_extended_attributes_are_set() {
    let mut ledger = single();
    let a = file(&mut ledger, at(1), ROOT, "a");
    let old = Time { secs: -5, nanos: 7 };
    let change =
        AttributeChange { mode: Some(0o600), gid: Some(5), mtime: Some(old), ..AttributeChange::default() };
    ledger.set_attributes(at(9), a, change).unwrap();
    ledger.set_atime(a, at(20).wall).unwrap();
    let inode = ledger.inode(a).unwrap().unwrap();
    assert_eq!((inode.mode, inode.uid, inode.gid, inode.mtime), (0o600, 1000, 5, old));
    assert_eq!((inode.ctime, inode.atime), (at(9).wall, at(20).wall));
    ledger.set_xattr(at(10), a, b"user.k", b"v").unwrap();
    ledger.set_xattr(at(10), a, b"user.l", b"").unwrap();
    assert_eq!(ledger.xattrs(a).unwrap(), [b"user.k".to_vec(), b"user.l".to_vec()]);
    ledger.remove_xattr(at(11), a, b"user.l").unwrap();
    assert!(matches!(ledger.remove_xattr(at(11), a, b"user.l"), Err(LedgerError::NotFound)));
    assert_eq!(ledger.xattr(a, b"user.k").unwrap().unwrap(), b"v");
    assert_eq!(ledger.xattr(a, b"user.l").unwrap(), None);
}

#[test]
fn contents_over_their_bounds_are_refused() {
    let mut ledger = single();
    let a = file(&mut ledger, at(1), ROOT, "a");
    let d = folder(&mut ledger, at(1), ROOT, "d");
    let version = |bytes: usize| NewVersion {
        base: None,
        size: bytes as u64,
        mtime: at(1).wall,
        content: crate::Content::Inline(vec![0; bytes]),
    };
    assert!(matches!(ledger.publish(at(2), a, version(257)), Err(LedgerError::TooLarge)));
    assert!(matches!(ledger.publish(at(2), d, version(1)), Err(LedgerError::WrongKind)));
    ledger.publish(at(2), a, version(256)).unwrap();
}

#[test]
fn counts_follow_the_tree() {
    let mut ledger = single();
    let d = folder(&mut ledger, at(1), ROOT, "d");
    let a = file(&mut ledger, at(1), d, "a");
    write(&mut ledger, at(2), a, "12345");
    let stats = ledger.stats();
    assert_eq!((stats.files, stats.directories, stats.bytes), (1, 2, 5));
    ledger.unlink(at(3), d, b"a").unwrap();
    ledger.unlink(at(3), ROOT, b"d").unwrap();
    let stats = ledger.stats();
    assert_eq!((stats.files, stats.directories, stats.bytes), (0, 1, 0));
}

#[test]
fn local_rows_stay_in_their_space() {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let mut ledger = single();
    for space in [LocalSpace(0), LocalSpace(1), LocalSpace(255)] {
        for key in [&b"a"[..], b"b", b"c"] {
            ledger.local_put(space, key, &[space.0]).unwrap();
        }
    }
    commit(&mut ledger, at(1));
    ledger.local_delete(LocalSpace(1), b"b").unwrap();
    assert_eq!(ledger.local_get(LocalSpace(1), b"b").unwrap(), None);
    assert_eq!(ledger.local_get(LocalSpace(0), b"b").unwrap(), Some(vec![0]));
    let scan = |space, range| {
        let mut keys = Vec::new();
        ledger
            .local_scan(space, range, &mut |key, value| {
                assert_eq!(value, [space.0]);
                keys.push(key.to_vec());
                true
            })
            .unwrap();
        keys
    };
    assert_eq!(scan(LocalSpace(1), (Unbounded, Unbounded)), [b"a", b"c"]);
    assert_eq!(scan(LocalSpace(255), (Excluded(b"a"), Included(b"b"))), [b"b"]);
    assert_eq!(scan(LocalSpace(0), (Included(b"b"), Excluded(b"c"))), [b"b"]);
}

#[test]
fn the_log_tells_what_was_done_newest_first() {
    let mut ledger = single();
    let a = file(&mut ledger, at(1000), ROOT, "a");
    commit(&mut ledger, at(1500));
    write(&mut ledger, at(2000), a, "1234");
    ledger.rename(at(3000), (ROOT, b"a"), (ROOT, b"b"), Rename::Replace).unwrap();
    let lines = ledger.log(2, None).unwrap();
    assert_eq!(lines[0].action, crate::Action::Moved { from: b"a".to_vec(), to: b"b".to_vec() });
    assert_eq!(lines[1].action, crate::Action::Wrote { size: 4 });
    assert_eq!(lines[1].ino, Some(a));
    let older = ledger.log(1, Some(lines[1].stamp)).unwrap();
    assert_eq!(older[0].action, crate::Action::Created { kind: Kind::File, name: b"a".to_vec() });
}
