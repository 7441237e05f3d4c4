//! Names: made, found, listed, moved, linked and removed as on any local file system.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod fixture;

use std::collections::BTreeSet;

use fixture::{Fixture, READ_WRITE, create, node, read, read_file, sync_all, write, write_file};
use vfs::{
    AttrChange, Drive, Error, Ino, Kind, NewNode, OpenFlags, ROOT, RenameMode, Time, TimeChange, XattrMode,
    wait,
};

fn names(drive: &Drive, dir: Ino) -> Vec<Vec<u8>> {
    let handle = drive.open_dir(dir).unwrap();
    let mut found = Vec::new();
    let mut after = 0;
    // A reader with room for seven names at a time, as small as a kernel's buffer may be.
    loop {
        let mut taken = 0;
        drive
            .read_dir(handle, after, true, &mut |item| {
                if taken == 7 {
                    return false;
                }
                assert_eq!(item.attr.unwrap().ino, item.ino);
                taken += 1;
                after = item.cookie;
                found.push(item.name.to_vec());
                true
            })
            .unwrap();
        if taken == 0 {
            break;
        }
    }
    drive.release_dir(handle);
    found
}

fn rename(drive: &Drive, from: (Ino, &str), to: (Ino, &str), mode: RenameMode) -> Result<(), Error> {
    wait(|reply| drive.rename(from.0, from.1.as_bytes(), to.0, to.1.as_bytes(), mode, reply))
}

fn mkdir(drive: &Drive, dir: Ino, name: &str) -> Ino {
    drive.make_node(dir, name.as_bytes(), node(Kind::Directory)).unwrap().ino
}

#[test]
fn a_directory_lists_each_name_once_while_names_come_and_go() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let dir = mkdir(&drive, ROOT, "d");
    for n in 0..500 {
        drive.make_node(dir, format!("stays-{n}").as_bytes(), node(Kind::File)).unwrap();
    }
    let handle = drive.open_dir(dir).unwrap();
    let (mut seen, mut after, mut turn) = (Vec::new(), 0, 0);
    loop {
        let before = after;
        drive
            .read_dir(handle, after, false, &mut |item| {
                if item.cookie != after && seen.len() % 9 == 8 && after != before {
                    return false;
                }
                after = item.cookie;
                seen.push(item.name.to_vec());
                true
            })
            .unwrap();
        if after == before {
            break;
        }
        turn += 1;
        drive.make_node(dir, format!("comes-{turn}").as_bytes(), node(Kind::File)).unwrap();
        if turn > 1 {
            drive.unlink(dir, format!("comes-{}", turn - 1).as_bytes()).unwrap();
        }
    }
    let unique: BTreeSet<&Vec<u8>> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len());
    assert_eq!(seen.iter().filter(|name| name.starts_with(b"stays-")).count(), 500);
}

#[test]
fn any_bytes_a_name_may_have_are_kept() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let odd: Vec<Vec<u8>> = vec![
        b"\xff\xfe invalid".to_vec(),
        b"new\nline".to_vec(),
        vec![b'x'; 255],
        "Übergröße 日本".as_bytes().to_vec(),
        b" ".to_vec(),
        b"...".to_vec(),
    ];
    for name in &odd {
        drive.make_node(ROOT, name, node(Kind::File)).unwrap();
    }
    drive.close().unwrap();
    let drive = fixture.open();
    let listed: BTreeSet<Vec<u8>> = names(&drive, ROOT).into_iter().collect();
    for name in &odd {
        assert!(listed.contains(name));
        assert!(drive.lookup(ROOT, name).is_ok());
    }
    assert_eq!(drive.make_node(ROOT, &[b'x'; 256], node(Kind::File)), Err(Error::NameTooLong));
    assert_eq!(drive.lookup(ROOT, b"a/b"), Err(Error::Invalid));
}

#[test]
fn renames_follow_posix() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let (a, b) = (mkdir(&drive, ROOT, "a"), mkdir(&drive, ROOT, "b"));
    write_file(&drive, a, "f", b"first");
    write_file(&drive, b, "g", b"second");
    assert_eq!(rename(&drive, (a, "f"), (b, "g"), RenameMode::NoReplace), Err(Error::Exists));
    rename(&drive, (a, "f"), (b, "g"), RenameMode::Exchange).unwrap();
    assert_eq!(read_file(&drive, "a/f"), b"second");
    assert_eq!(read_file(&drive, "b/g"), b"first");
    rename(&drive, (a, "f"), (b, "g"), RenameMode::Replace).unwrap();
    assert_eq!(read_file(&drive, "b/g"), b"second");
    assert_eq!(drive.lookup(a, b"f").err(), Some(Error::NotFound));
    assert_eq!(rename(&drive, (a, "none"), (b, "g"), RenameMode::Replace), Err(Error::NotFound));
    assert_eq!(rename(&drive, (ROOT, "a"), (b, "g"), RenameMode::Replace), Err(Error::NotDirectory));
    assert_eq!(rename(&drive, (b, "g"), (ROOT, "a"), RenameMode::Replace), Err(Error::IsDirectory));
    assert_eq!(rename(&drive, (ROOT, "a"), (ROOT, "b"), RenameMode::Replace), Err(Error::NotEmpty));
    let inner = mkdir(&drive, a, "inner");
    assert_eq!(rename(&drive, (ROOT, "a"), (inner, "x"), RenameMode::Replace), Err(Error::Invalid));
    assert_eq!(drive.attr(ROOT).unwrap().nlink, 4);
    rename(&drive, (a, "inner"), (b, "inner"), RenameMode::Replace).unwrap();
    assert_eq!(drive.attr(a).unwrap().nlink, 2);
    assert_eq!(drive.attr(b).unwrap().nlink, 3);
    assert_eq!(drive.remove_dir(ROOT, b"b"), Err(Error::NotEmpty));
    drive.remove_dir(ROOT, b"a").unwrap();
    assert_eq!(drive.make_node(a, b"late", node(Kind::File)), Err(Error::NotFound));
}

#[test]
fn hard_links_share_one_inode() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let ino = write_file(&drive, ROOT, "one", b"shared");
    assert_eq!(drive.link(ino, ROOT, b"two").unwrap().nlink, 2);
    let (_, handle) = (ino, drive.open(ino, READ_WRITE).unwrap().handle);
    write(&drive, handle, 0, b"SHARED");
    drive.release(handle);
    assert_eq!(read_file(&drive, "two"), b"SHARED");
    drive.unlink(ROOT, b"one").unwrap();
    assert_eq!(drive.attr(ino).unwrap().nlink, 1);
    sync_all(&drive);
    drive.close().unwrap();
    let drive = fixture.open();
    assert_eq!(read_file(&drive, "two"), b"SHARED");
    let dir = mkdir(&drive, ROOT, "d");
    assert_eq!(drive.link(dir, ROOT, b"dd").err(), Some(Error::NotPermitted));
}

#[test]
fn an_unlinked_file_lives_until_it_is_closed() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let (ino, handle) = create(&drive, ROOT, "tmp");
    let data = fixture::noise(5, 5 << 20);
    write(&drive, handle, 0, &data);
    drive.unlink(ROOT, b"tmp").unwrap();
    assert_eq!(drive.lookup(ROOT, b"tmp").err(), Some(Error::NotFound));
    assert_eq!(drive.attr(ino).unwrap().nlink, 0);
    sync_all(&drive);
    assert!(read(&drive, handle, 0, data.len()) == data);
    write(&drive, handle, 3, b"still");
    wait(|reply| drive.fsync(handle, false, reply)).unwrap();
    assert_eq!(read(&drive, handle, 0, 8), [&data[..3], b"still"].concat());
    assert_eq!(drive.link(ino, ROOT, b"back").err(), Some(Error::NotFound));
    drive.release(handle);
    drive.close().unwrap();
    let drive = fixture.open();
    assert_eq!(drive.status().unwrap().files, 0);
}

#[test]
fn a_name_that_went_while_its_file_was_settled_stays_gone() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    for turn in 0..4_000_u32 {
        let name = format!("f{turn}");
        write_file(&drive, ROOT, &name, &[7; 4096]);
        // Settling began with the close; each turn takes the name away at another moment of it.
        for _ in 0..(turn % 400) * 25 {
            std::hint::spin_loop();
        }
        drive.unlink(ROOT, name.as_bytes()).unwrap();
    }
    sync_all(&drive);
    assert_eq!(names(&drive, ROOT), [b".".to_vec(), b"..".to_vec()]);
}

#[test]
fn attributes_times_and_xattrs_survive() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let ino = write_file(&drive, ROOT, "f", b"content");
    let mtime = Time { secs: 1_000_000_000, nanos: 123_456_789 };
    let atime = Time { secs: -5, nanos: 7 };
    let change = AttrChange {
        mode: Some(0o4751),
        uid: Some(12),
        gid: Some(34),
        mtime: Some(TimeChange::To(mtime)),
        atime: Some(TimeChange::To(atime)),
        size: None,
    };
    wait(|reply| drive.set_attr(ino, None, change, reply)).unwrap();
    drive.set_xattr(ino, b"user.note", b"hello", XattrMode::Create).unwrap();
    assert_eq!(drive.set_xattr(ino, b"user.note", b"x", XattrMode::Create), Err(Error::Exists));
    assert_eq!(drive.set_xattr(ino, b"user.none", b"x", XattrMode::Replace), Err(Error::NoAttribute));
    assert_eq!(drive.set_xattr(ino, b"system.x", b"x", XattrMode::Any), Err(Error::Unsupported));
    sync_all(&drive);
    drive.close().unwrap();
    let drive = fixture.open();
    let attr = drive.attr(ino).unwrap();
    assert_eq!((attr.mode, attr.uid, attr.gid, attr.mtime, attr.atime), (0o4751, 12, 34, mtime, atime));
    assert_eq!(drive.get_xattr(ino, b"user.note").unwrap(), b"hello");
    assert_eq!(drive.list_xattr(ino).unwrap(), [b"user.note".to_vec()]);
    assert_eq!(drive.get_xattr(ino, b"user.peerdrive.copies").unwrap(), b"1");
    drive.remove_xattr(ino, b"user.note").unwrap();
    assert_eq!(drive.get_xattr(ino, b"user.note"), Err(Error::NoAttribute));
}

#[test]
fn special_inodes_and_symlinks_are_kept() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let target = b"../some/\xff where";
    let link = NewNode { target, ..node(Kind::Symlink) };
    drive.make_node(ROOT, b"link", link).unwrap();
    drive.make_node(ROOT, b"fifo", node(Kind::Fifo)).unwrap();
    drive.make_node(ROOT, b"dev", NewNode { rdev: 0x0103, ..node(Kind::CharDevice) }).unwrap();
    drive.close().unwrap();
    let drive = fixture.open();
    assert_eq!(drive.read_link(drive.lookup(ROOT, b"link").unwrap().ino).unwrap(), target);
    assert_eq!(drive.lookup(ROOT, b"fifo").unwrap().kind, Kind::Fifo);
    assert_eq!(drive.lookup(ROOT, b"dev").unwrap().rdev, 0x0103);
}

#[test]
fn set_group_id_directories_pass_their_group_on() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let dir = mkdir(&drive, ROOT, "team");
    let change = AttrChange { mode: Some(0o2775), gid: Some(77), ..AttrChange::default() };
    wait(|reply| drive.set_attr(dir, None, change, reply)).unwrap();
    let file = drive.make_node(dir, b"f", node(Kind::File)).unwrap();
    let sub = drive.make_node(dir, b"d", node(Kind::Directory)).unwrap();
    assert_eq!((file.gid, file.mode & 0o2000), (77, 0));
    assert_eq!((sub.gid, sub.mode & 0o2000), (77, 0o2000));
}

#[test]
fn truncating_at_open_and_appending() {
    let fixture = Fixture::default();
    let drive = fixture.open();
    let ino = write_file(&drive, ROOT, "f", &fixture::noise(1, 100_000));
    sync_all(&drive);
    let flags = OpenFlags { truncate: true, ..READ_WRITE };
    let handle = drive.open(ino, flags).unwrap().handle;
    assert_eq!(drive.attr(ino).unwrap().size, 0);
    drive.release(handle);
    let flags = OpenFlags { append: true, ..READ_WRITE };
    let handle = drive.open(ino, flags).unwrap().handle;
    write(&drive, handle, 0, b"one ");
    write(&drive, handle, 0, b"two");
    drive.release(handle);
    assert_eq!(read_file(&drive, "f"), b"one two");
}
