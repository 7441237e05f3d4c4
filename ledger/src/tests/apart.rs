//! Devices that edited apart and meet again: what people will see.

use super::fixture::{Cast, at, file, find, folder, names, sync, text, write};
use crate::{Kind, Ledger, LedgerError, ROOT, Rename, Stamp, VersionId};

fn pair() -> (Ledger, Ledger) {
    let mut devices = Cast::new().devices(2).into_iter();
    (devices.next().unwrap(), devices.next().unwrap())
}

fn meet(a: &mut Ledger, b: &mut Ledger) {
    let late = at(10_000_000);
    sync(a, b, late);
    sync(b, a, late);
    assert_eq!(a.digest().unwrap(), b.digest().unwrap());
    a.check_derived_for_test();
    b.check_derived_for_test();
}

#[test]
fn two_devices_edited_apart_merge_to_one_tree() {
    let (mut a, mut b) = pair();
    let docs = folder(&mut a, at(1000), ROOT, "docs");
    let note = file(&mut a, at(1000), docs, "note");
    write(&mut a, at(1000), note, "first");
    meet(&mut a, &mut b);

    write(&mut a, at(2000), note, "by a");
    file(&mut a, at(2000), docs, "only a");
    let docs_b = find(&b, "docs").unwrap().ino;
    b.rename(at(2001), (ROOT, b"docs"), (ROOT, b"papers"), Rename::Replace).unwrap();
    file(&mut b, at(2001), docs_b, "only b");
    meet(&mut a, &mut b);

    for ledger in [&a, &b] {
        assert_eq!(names(ledger, ROOT), ["papers"]);
        assert_eq!(names(ledger, find(ledger, "papers").unwrap().ino), ["note", "only a", "only b"]);
        assert_eq!(text(ledger, "papers/note").unwrap(), "by a");
    }
}

#[test]
fn two_writes_apart_keep_both_and_the_later_opens() {
    let (mut a, mut b) = pair();
    let note = file(&mut a, at(1000), ROOT, "note");
    write(&mut a, at(1000), note, "first");
    meet(&mut a, &mut b);
    write(&mut a, at(2000), note, "by a");
    let note_b = find(&b, "note").unwrap().ino;
    write(&mut b, at(3000), note_b, "by b");
    meet(&mut a, &mut b);
    assert_eq!(text(&a, "note").unwrap(), "by b");
    let conflicts = a.conflicts(0, 10).unwrap();
    assert_eq!((conflicts.len(), conflicts[0].versions.len()), (1, 2));
    assert_eq!(a.stats().conflicts, 1);

    let theirs = conflicts[0].versions.iter().find(|version| version.conflict).unwrap().id;
    a.resolve_conflict(at(11_000_000), note, theirs).unwrap();
    let late = at(11_000_000);
    sync(&mut a, &mut b, late);
    assert_eq!(text(&b, "note").unwrap(), "by a");
    assert!(b.conflicts(0, 10).unwrap().is_empty());
    assert_eq!(b.versions(note_b).unwrap().len(), 4, "what lost stays in the history");
}

#[test]
fn one_name_made_twice_is_one_file_with_two_versions() {
    let (mut a, mut b) = pair();
    let in_a = file(&mut a, at(1000), ROOT, "same");
    write(&mut a, at(1000), in_a, "by a");
    let in_b = file(&mut b, at(2000), ROOT, "same");
    write(&mut b, at(2000), in_b, "by b");
    meet(&mut a, &mut b);
    assert_eq!(names(&a, ROOT), ["same"]);
    assert_eq!(text(&a, "same").unwrap(), "by b");
    let opens = find(&a, "same").unwrap().ino;
    let versions = a.versions(opens).unwrap();
    assert_eq!(versions.iter().filter(|version| version.conflict).count(), 1);
    // Deleting the name deletes what a person means by it: all of it.
    a.unlink(at(10_000_001), ROOT, b"same").unwrap();
    assert!(names(&a, ROOT).is_empty());
    sync(&mut a, &mut b, at(10_000_002));
    assert!(names(&b, ROOT).is_empty());
}

#[test]
fn directories_of_one_name_merge_all_the_way_down() {
    let (mut a, mut b) = pair();
    for (ledger, who) in [(&mut a, "a"), (&mut b, "b")] {
        let top = folder(ledger, at(1000), ROOT, "top");
        let sub = folder(ledger, at(1000), top, "sub");
        file(ledger, at(1000), sub, who);
    }
    meet(&mut a, &mut b);
    let sub = find(&a, "top/sub").unwrap().ino;
    assert_eq!(names(&a, sub), ["a", "b"]);
    assert_eq!(a.inode(find(&a, "top").unwrap().ino).unwrap().unwrap().nlink, 3);
    // The merged directory moves, empties and goes as one.
    a.rename(at(10_000_001), (ROOT, b"top"), (ROOT, b"moved"), Rename::Replace).unwrap();
    assert_eq!(names(&a, find(&a, "moved/sub").unwrap().ino), ["a", "b"]);
    a.unlink(at(10_000_002), sub, b"a").unwrap();
    a.unlink(at(10_000_002), sub, b"b").unwrap();
    a.unlink(at(10_000_003), find(&a, "moved").unwrap().ino, b"sub").unwrap();
    a.unlink(at(10_000_003), ROOT, b"moved").unwrap();
    assert!(names(&a, ROOT).is_empty());
    sync(&mut a, &mut b, at(10_000_004));
    assert_eq!(a.digest().unwrap(), b.digest().unwrap());
}

#[test]
fn a_file_and_a_directory_of_one_name_show_side_by_side() {
    let (mut a, mut b) = pair();
    folder(&mut a, at(1000), ROOT, "x");
    let in_b = file(&mut b, at(2000), ROOT, "x");
    write(&mut b, at(2000), in_b, "file");
    meet(&mut a, &mut b);
    assert_eq!(find(&a, "x").unwrap().kind, Kind::Directory);
    let all = names(&a, ROOT);
    assert_eq!(all.len(), 2);
    let aside = all.iter().find(|name| name.starts_with("x (file ")).unwrap();
    assert_eq!(text(&a, aside).unwrap(), "file");
    a.unlink(at(10_000_001), ROOT, b"x").unwrap();
    assert_eq!(names(&a, ROOT), ["x"], "with the directory gone the file has its name again");
    assert_eq!(text(&a, "x").unwrap(), "file");
}

#[test]
fn an_edit_beats_a_deletion() {
    let (mut a, mut b) = pair();
    let dir = folder(&mut a, at(1000), ROOT, "dir");
    let note = file(&mut a, at(1000), dir, "note");
    write(&mut a, at(1000), note, "first");
    meet(&mut a, &mut b);
    a.unlink(at(3000), dir, b"note").unwrap();
    a.unlink(at(3000), ROOT, b"dir").unwrap();
    let note_b = find(&b, "dir/note").unwrap().ino;
    write(&mut b, at(2000), note_b, "edited");
    meet(&mut a, &mut b);
    assert_eq!(text(&a, "dir/note").unwrap(), "edited");
    // Emptying and removing the directory by hand takes both steps, though it had been deleted before.
    let dir_b = find(&b, "dir").unwrap().ino;
    b.unlink(at(10_000_001), dir_b, b"note").unwrap();
    assert!(find(&b, "dir").is_some());
    b.unlink(at(10_000_002), ROOT, b"dir").unwrap();
    assert!(names(&b, ROOT).is_empty());
}

#[test]
fn moves_that_would_close_a_loop_leave_every_directory_reachable() {
    let (mut a, mut b) = pair();
    folder(&mut a, at(1000), ROOT, "p");
    folder(&mut a, at(1000), ROOT, "q");
    meet(&mut a, &mut b);
    let q = find(&a, "q").unwrap().ino;
    a.rename(at(2000), (ROOT, b"p"), (q, b"p"), Rename::Replace).unwrap();
    let p = find(&b, "p").unwrap().ino;
    b.rename(at(3000), (ROOT, b"q"), (p, b"q"), Rename::Replace).unwrap();
    meet(&mut a, &mut b);
    assert!(find(&a, "q/p").is_some(), "the later move fell back: {:?}", names(&a, ROOT));
    // Working in it sets it down; both can be removed again.
    a.unlink(at(10_000_001), q, b"p").unwrap();
    a.unlink(at(10_000_002), ROOT, b"q").unwrap();
    assert!(names(&a, ROOT).is_empty());
    sync(&mut a, &mut b, at(10_000_003));
    assert!(names(&b, ROOT).is_empty());
}

#[test]
fn a_late_edit_of_what_was_deleted_and_given_up_brings_the_file_back() {
    for (late, opens) in [(2000, "late"), (500, "")] {
        let (mut a, mut b) = pair();
        let note = file(&mut a, at(100), ROOT, "note");
        write(&mut a, at(100), note, "first");
        meet(&mut a, &mut b);
        let in_b = find(&b, "note").unwrap().ino;
        write(&mut a, at(1000), note, "last");
        a.unlink(at(1500), ROOT, b"note").unwrap();
        while !a.prune(at(60_000), std::time::Duration::from_secs(1), 100).unwrap().finished {}
        // Meanwhile, by one who knew nothing of that.
        write(&mut b, at(late), in_b, "late");
        meet(&mut a, &mut b);
        // What opens may be what one of them gave up: then it says so.
        let head = a.inode(note).unwrap().unwrap().head.unwrap().version;
        match a.content_of(note, head) {
            Ok(_) => assert_eq!(text(&a, "note").unwrap(), opens),
            Err(error) => assert!(matches!(error, LedgerError::Expired) && opens.is_empty()),
        }
        a.resolve_conflict(at(20_000_000), note, VersionId(Stamp { clock: 0, ..Stamp::default() }))
            .unwrap_err();
        assert_eq!(a.stats().conflicts, 1);
        let versions = a.versions(note).unwrap();
        assert!(versions.iter().filter(|version| a.content_of(note, version.id).is_ok()).count() >= 1);
        write(&mut a, at(20_000_000), note, "new");
        assert_eq!(text(&a, "note").unwrap(), "new");
    }
}
