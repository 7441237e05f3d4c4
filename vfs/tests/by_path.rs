//! Files by their paths, beside any mount.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod fixture;

use std::time::{Duration, Instant};

use fixture::{Fixture, noise, read, read_file, write, write_file};
use vfs::{Change, Drive, Error, FileSafety, Filter, Kind, NewNode, OpenFlags, ROOT, Search, Wanted, wait};

const WRITE: OpenFlags = OpenFlags { read: true, write: true, append: false, truncate: false, direct: false };

fn names(drive: &Drive, path: &str) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), 0);
    loop {
        let page = drive.list_folder(path.as_bytes(), after, 7).unwrap();
        names.extend(page.entries.into_iter().map(|entry| String::from_utf8(entry.name).unwrap()));
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    names.sort();
    names
}

fn search<'a>(words: &'a str, under: &'a str) -> Search<'a> {
    Search {
        wanted: Wanted::Words(words, Filter::default()),
        under: under.as_bytes(),
        after: None,
        limit: 100,
        patience: Duration::from_secs(60),
    }
}

#[test]
fn a_folder_is_listed_in_pages_with_what_people_want_to_know() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    drive.make_folder(b"a/b").unwrap();
    for n in 0..50 {
        write_file(&drive, drive.resolve(b"a").unwrap(), &format!("f{n:02}"), b"text");
    }
    let listed = names(&drive, "/a/");
    assert_eq!((listed.len(), listed[0].as_str(), listed[50].as_str()), (51, "b", "f49"));
    let folder = drive.listed(b"a").unwrap();
    assert_eq!((folder.entries, folder.safety, folder.name.as_slice()), (Some(51), None, b"a".as_slice()));
    fixture::sync_all(&drive);
    let file = drive.listed(b"/a/f07").unwrap();
    assert_eq!((file.safety, file.attr.size, file.conflict), (Some(FileSafety::OnlyHere), 4, false));
    assert_eq!(drive.list_folder(b"a/f07", 0, 9), Err(Error::NotDirectory));
    assert_eq!(drive.make_folder(b"a/b"), Err(Error::Exists));
    assert_eq!(drive.make_folder(b"a/f07/x"), Err(Error::NotDirectory));
}

#[test]
fn a_deleted_tree_comes_back_whole_and_nothing_else_with_it() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let deep = drive.make_folder(b"top/mid/low").unwrap().ino;
    write_file(&drive, drive.resolve(b"top").unwrap(), "gone before", b"old");
    drive.remove_path(b"top/gone before").unwrap();
    fixture::sync_all(&drive);
    // The ledger's moments are milliseconds: what follows is of a later one.
    let then = Instant::now();
    while then.elapsed() < Duration::from_millis(2) {
        std::thread::yield_now();
    }
    write_file(&drive, deep, "settled", &noise(1, 300_000));
    fixture::sync_all(&drive);
    // What no version exists of yet must not be lost either.
    write_file(&drive, drive.resolve(b"top/mid").unwrap(), "unsettled", b"new");
    let before = drive.edit_clock();
    let removed = drive.remove_path(b"/top").unwrap();
    assert_eq!(removed.entries, 5);
    assert!(drive.edit_clock() > before);
    assert_eq!(drive.resolve(b"top"), Err(Error::NotFound));
    assert_eq!(drive.undelete(b"top", removed.since).unwrap(), 5);
    assert_eq!(names(&drive, "top"), ["mid"]);
    assert_eq!(read_file(&drive, "top/mid/low/settled"), noise(1, 300_000));
    assert_eq!(read_file(&drive, "top/mid/unsettled"), b"new");
    assert!(drive.undelete(b"top", removed.since).is_err(), "it is there");
    assert!(drive.undelete(b"never", removed.since).is_err());
    assert_eq!(drive.remove_path(b"/"), Err(Error::Invalid));
}

#[test]
fn what_is_moved_or_copied_keeps_its_content_and_takes_no_name_from_anybody() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let dir = drive.make_folder(b"from/sub").unwrap().ino;
    write_file(&drive, dir, "big", &noise(3, 1 << 20));
    assert_eq!(drive.copy_path(b"from", b"to").unwrap(), 3);
    assert_eq!(read_file(&drive, "to/sub/big"), noise(3, 1 << 20));
    assert_eq!(drive.copy_path(b"from", b"to"), Err(Error::Exists));
    assert_eq!(drive.copy_path(b"from", b"from/sub/again"), Err(Error::Invalid));
    assert_eq!(drive.move_path(b"from", b"from/sub/again"), Err(Error::Invalid));
    assert_eq!(drive.move_path(b"from/sub/big", b"to"), Err(Error::Exists));
    let told = drive.subscribe();
    // Somebody must take the notices, or a change would wait for it.
    let taker = std::thread::spawn(move || told.into_iter().collect::<Vec<Change>>());
    drive.move_path(b"to/sub/big", b"moved").unwrap();
    assert_eq!(read_file(&drive, "moved"), noise(3, 1 << 20));
    assert_eq!(drive.move_path(b"to/sub/big", b"x"), Err(Error::NotFound));
    drop(drive);
    let told = taker.join().unwrap();
    let entries = told.iter().filter(|change| matches!(change, Change::Many(_))).count();
    assert_eq!(entries, 1, "the kernel hears of both names: {told:?}");
}

#[test]
fn names_are_found_by_their_words() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    drive.make_folder("Bilder/Sommer am Meer".as_bytes()).unwrap();
    let dir = drive.resolve("Bilder/Sommer am Meer".as_bytes()).unwrap();
    write_file(&drive, dir, "Ärger im MEER.jpg", b"x");
    write_file(&drive, ROOT, "other", b"x");
    let found = drive.search(&search("meer är", "/")).unwrap();
    assert!(found.next.is_none());
    assert_eq!(found.found.len(), 1);
    assert_eq!(found.found[0].0, "/Bilder/Sommer am Meer".as_bytes());
    assert_eq!(drive.search(&search("meer", "/Bilder/")).unwrap().found.len(), 2);
    assert!(drive.search(&search("  ", "")).unwrap().found.is_empty());
    let at_risk = drive.search(&Search { wanted: Wanted::NotSafe, ..search("", "") }).unwrap();
    assert_eq!((at_risk.found.len(), at_risk.next), (2, None), "one computer alone is never safe");
}

#[test]
fn what_is_found_is_told_in_parts_and_filtered() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let deep = drive.make_folder(b"photos/lisbon").unwrap().ino;
    for n in 0..6000 {
        write_file(&drive, deep, &format!("IMG {n:04}.jpg"), b"");
    }
    write_file(&drive, ROOT, "img of all.jpg", &[7; 5000]);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let part =
            Search { after: after.as_deref(), limit: 700, patience: Duration::ZERO, ..search("img", "") };
        let told = drive.search(&part).unwrap();
        assert!(told.found.len() <= 700);
        found.extend(told.found.into_iter().map(|(folder, listed)| [folder, listed.name].concat()));
        match told.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 6001, "each once, however short the patience");
    assert_eq!(drive.search(&search("img 0", "/photos")).unwrap().found.len(), 100);
    assert!(drive.search(&search("img", "/phot")).is_err());
    let large = Filter { min_bytes: Some(5000), max_bytes: Some(5000), ..Filter::default() };
    let asked = Search { wanted: Wanted::Words("", large), limit: 10_000, ..search("", "") };
    assert_eq!(drive.search(&asked).unwrap().found[0].1.name, b"img of all.jpg");
    let folders = Filter { kind: Some(Kind::Directory), ..Filter::default() };
    let asked = Search { wanted: Wanted::Words("L", folders), limit: 10_000, ..search("", "") };
    assert_eq!(drive.search(&asked).unwrap().found.len(), 1, "only the folder has an l");
    let changed = drive.listed(b"img of all.jpg").unwrap().attr.mtime;
    let until = Filter { since: Some(changed), until: Some(changed), ..Filter::default() };
    let asked = Search { wanted: Wanted::Words("of all", until), ..search("", "") };
    assert_eq!(drive.search(&asked).unwrap().found.len(), 1);
}

#[test]
fn a_large_drive_is_looked_through_by_several_and_each_name_is_found_once() {
    const FOLDERS: u64 = 40;
    const EACH: u64 = 500;
    let fixture = Fixture::default();
    let drive = fixture.open();
    let node = NewNode { kind: Kind::File, mode: 0o644, uid: 0, gid: 0, rdev: 0, target: b"" };
    for folder in 0..FOLDERS {
        let path = if folder % 3 == 0 { format!("f{folder}") } else { format!("f0/f{folder}") };
        let dir = drive.make_folder(path.as_bytes()).unwrap().ino;
        for n in 0..EACH {
            drive.make_node(dir, format!("name {n} in {folder}").as_bytes(), node).unwrap();
        }
        // Some names are on disk, some are not yet.
        if folder == FOLDERS / 2 {
            fixture::sync_all(&drive);
        }
    }
    let all = |words: &str, under: &str, limit: usize, patience: Duration| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let part = Search { after: after.as_deref(), limit, patience, ..search(words, under) };
            let told = drive.search(&part).unwrap();
            found.extend(told.found.into_iter().map(|(folder, listed)| [folder, listed.name].concat()));
            match told.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let told = found.len();
        found.sort();
        found.dedup();
        assert_eq!(told, found.len(), "each once");
        told as u64
    };
    assert_eq!(all("name", "", 100_000, Duration::from_secs(60)), FOLDERS * EACH);
    assert_eq!(all("name", "", 900, Duration::from_secs(60)), FOLDERS * EACH);
    assert_eq!(all("name", "/f0", 100_000, Duration::ZERO), (FOLDERS - FOLDERS / 3) * EACH);
    // 77, 177 … 477
    assert_eq!(all("NAME 77 in", "", 10, Duration::from_secs(60)), 5 * FOLDERS);
    assert_eq!(all("nothing has this", "", 10, Duration::from_secs(60)), 0);
}

/// How long a search takes that nothing fits, in a drive of a million names: `cargo test -p vfs --release --test by_path -- --ignored`.
#[test]
#[ignore = "a measurement: it takes a minute"]
fn a_million_names_are_looked_through() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    for folder in 0..1000 {
        let dir = drive.make_folder(format!("folder {folder}").as_bytes()).unwrap().ino;
        for n in 0..1000 {
            let node = NewNode { kind: Kind::File, mode: 0o644, uid: 0, gid: 0, rdev: 0, target: b"" };
            drive
                .make_node(dir, format!("a name of usual length {folder} {n}.txt").as_bytes(), node)
                .unwrap();
        }
    }
    fixture::sync_all(&drive);
    drop(drive);
    let drive = fixture.open();
    for words in ["nothing-has-this", "length 777 77", "name"] {
        for round in 0..3 {
            let began = Instant::now();
            let told = drive.search(&Search { limit: 200, ..search(words, "") }).unwrap();
            println!(
                "{words}, {round}: {} found in {:?}, complete: {}",
                told.found.len(),
                began.elapsed(),
                told.next.is_none()
            );
        }
    }
}

#[test]
fn an_upload_survives_a_restart_and_replaces_in_one_step() {
    let fixture = Fixture::default();
    let data = noise(9, 3 << 20);
    let ino = {
        let drive = fixture.open();
        write_file(&drive, ROOT, "report", b"the first");
        let ino = drive.begin_partial(b"report", "0f", b"note").unwrap();
        let handle = drive.open(ino, WRITE).unwrap().handle;
        write(&drive, handle, 0, &data[..1 << 20]);
        wait(|reply| drive.fsync(handle, true, reply)).unwrap();
        drive.release(handle);
        ino
    };
    let drive = fixture.open();
    assert_eq!(drive.partial_note(ino).unwrap().as_deref(), Some(b"note".as_slice()));
    assert_eq!(drive.attr(ino).unwrap().size, 1 << 20);
    assert_eq!(read_file(&drive, "report"), b"the first");
    let handle = drive.open(ino, WRITE).unwrap().handle;
    write(&drive, handle, 1 << 20, &data[1 << 20..]);
    let target = drive.resolve(b"report").unwrap();
    drive.finish_partial(ino, b"report").unwrap();
    drive.release(handle);
    assert_eq!(drive.resolve(b"report").unwrap(), target, "it is the same file, with a version more");
    assert_eq!(read_file(&drive, "report"), data);
    assert_eq!(names(&drive, "/"), ["report"]);
    assert_eq!(drive.history(b"report").unwrap().len(), 2);
    assert_eq!(drive.partial_note(ino).unwrap(), None);
    assert_eq!(drive.drop_partial(ino), Err(Error::NotFound));
    let opened = drive.open(target, OpenFlags { read: true, ..OpenFlags::default() }).unwrap();
    assert_eq!(read(&drive, opened.handle, 0, 100), &data[..100]);
    drive.release(opened.handle);
}

#[test]
fn an_empty_upload_empties_and_a_folder_is_not_replaced() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    write_file(&drive, ROOT, "full", b"content");
    let ino = drive.begin_partial(b"full", "1", b"").unwrap();
    drive.finish_partial(ino, b"full").unwrap();
    assert_eq!(read_file(&drive, "full"), b"");
    drive.make_folder(b"d").unwrap();
    assert_eq!(drive.begin_partial(b"d", "1", b""), Err(Error::IsDirectory));
    let ino = drive.begin_partial(b"new/deep", "1", b"").unwrap();
    drive.drop_partial(ino).unwrap();
    assert!(names(&drive, "new").is_empty());
}

#[test]
fn who_wrote_what_is_counted_once_for_each_file() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    drive.make_folder(b"a/b").unwrap();
    let folder = drive.resolve(b"a/b").unwrap();
    let one = write_file(&drive, folder, "one", &[1; 700]);
    write_file(&drive, ROOT, "two", &[2; 50]);
    drive.link(one, ROOT, b"one again").unwrap();
    fixture::sync_all(&drive);
    let told = drive.written(Duration::from_secs(60)).unwrap();
    assert!(told.complete);
    let [by] = &told.devices[..] else { panic!("{told:?}") };
    assert_eq!((by.files, by.bytes), (2, 750));
    assert!(by.user.is_some() && by.user_name.as_deref() == Some("owner"), "{by:?}");
    assert!(!drive.written(Duration::ZERO).unwrap().complete, "there was no time for all");
}
