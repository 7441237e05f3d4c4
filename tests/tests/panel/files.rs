//! Files in the page and in the mount are the same files.

use std::fs;

use serde_json::json;
use tests::{Start, eventually, noise};

use super::{Open, free_port};

/// Long enough that an upload is caught under way. Bytes.
const LONG_BYTES: usize = 400 << 20;

#[test]
fn what_is_uploaded_is_in_the_mount_and_the_other_way_round() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    let source = open.daemon.beside().join("Ünïcode & 100% #1?.bin");
    fs::write(&source, noise(1, 9 << 20)).unwrap();
    browser.choose_file("#picker", &source);
    browser.wait_for(".tray", "All uploads are done");
    browser.wait_for(".rows .entry-name", "Ünïcode & 100% #1?.bin");
    assert_eq!(fs::read(mount.join("Ünïcode & 100% #1?.bin")).unwrap(), noise(1, 9 << 20));
    fs::create_dir(mount.join("a & b")).unwrap();
    fs::write(mount.join("a & b/from mount.bin"), noise(2, 5 << 20)).unwrap();
    browser.click(".rows .entry-name", "a & b");
    browser.wait_for(".crumbs h1", "a & b");
    browser.wait_for(".rows .entry-name", "from mount.bin");
    browser.run("document.querySelector('.rows [data-part=more]').click()", &[]);
    browser.click(".menu button", "Download");
    let file = browser.downloads().join("from mount.bin");
    eventually("the download", || fs::read(&file).is_ok_and(|bytes| bytes == noise(2, 5 << 20)));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn names_are_changed_deleted_and_brought_back() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    fs::create_dir(mount.join("old")).unwrap();
    fs::write(mount.join("old/deep.txt"), "deep").unwrap();
    browser.wait_for(".rows .entry-name", "old");
    browser.click("button", "New folder");
    browser.fill("#ask-text", "made here");
    browser.click("dialog form button", "New folder");
    browser.wait_for(".rows .entry-name", "made here");
    assert!(mount.join("made here").is_dir());
    let more = |name: &str| {
        let script = "const row = [...document.querySelectorAll('.rows .row')].find((row) => row.textContent.includes(arguments[0])); row.querySelector('[data-part=more]').click()";
        browser.wait_for(".rows .entry-name", name);
        browser.run(script, &[json!(name)]);
    };
    more("old");
    browser.click(".menu button", "Rename");
    browser.fill("#ask-text", "new");
    browser.click("dialog form button", "Rename");
    browser.wait_for(".rows .entry-name", "new");
    assert_eq!(fs::read(mount.join("new/deep.txt")).unwrap(), b"deep");
    more("new");
    browser.click(".menu button", "Delete");
    browser.wait_for(".toast", "2 names deleted");
    assert!(!mount.join("new").exists());
    browser.click(".toast button", "Undo");
    browser.wait_for(".rows .entry-name", "new");
    assert_eq!(fs::read(mount.join("new/deep.txt")).unwrap(), b"deep");
    browser.fill("#search", "DEEP");
    browser.wait_for(".rows .entry-name", "/new");
    browser.shot("search");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_earlier_version_is_brought_back() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    fs::write(mount.join("text.txt"), "first").unwrap();
    open.daemon.wait_until_settled();
    fs::write(mount.join("text.txt"), "the second").unwrap();
    open.daemon.wait_until_settled();
    browser.wait_for(".rows .entry-name", "text.txt");
    browser.run("document.querySelector('.rows [data-part=more]').click()", &[]);
    browser.click(".menu button", "Versions and places");
    browser.wait_for("dialog .versions", "opens now");
    browser.shot("versions");
    browser.click("dialog .versions button", "Restore");
    browser.wait_for(".toast", "This version opens now");
    eventually("the first version", || fs::read(mount.join("text.txt")).is_ok_and(|bytes| bytes == b"first"));
}

#[test]
fn an_upload_goes_on_after_the_daemon_was_killed() {
    let mut open = Open::with(Start::default().panel_port(free_port()));
    let source = open.daemon.beside().join("long.bin");
    fs::write(&source, noise(5, LONG_BYTES)).unwrap();
    // Slow enough that it is caught under way.
    let slow =
        json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 40 << 20 });
    open.browser.chromium("Network.enable", &json!({}));
    open.browser.chromium("Network.emulateNetworkConditions", &slow);
    open.browser.choose_file("#picker", &source);
    let progress = || {
        open.browser.run("return document.querySelector('.tray progress')?.value ?? 0", &[]).as_f64().unwrap()
    };
    open.browser.wait("a good part of it", || progress() > LONG_BYTES as f64 * 0.4);
    open.browser.shot("upload");
    open.daemon.kill();
    open.browser.wait_for(".tray", "Waiting for PeerDrive");
    open.daemon.start_again();
    let partial = fs::read_dir(open.daemon.mount()).unwrap().map(|entry| entry.unwrap());
    let partial: Vec<u64> = partial
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".partial"))
        .map(|entry| entry.metadata().unwrap().len())
        .collect();
    assert!(partial.len() == 1 && partial[0] >= 64 << 20, "what was made durable is there: {partial:?}");
    assert!(!open.daemon.mount().join("long.bin").exists(), "half a file is nobody's");
    let (old, _) = open.browser.new_tab();
    open.browser.go(&open.link());
    open.browser.wait_for("nav .links", "Devices");
    open.browser.switch(&old);
    open.browser.wait_for(".tray", "All uploads are done");
    let bytes = fs::read(open.daemon.mount().join("long.bin")).unwrap();
    assert!(bytes == noise(5, LONG_BYTES), "it is the same");
}

#[test]
fn ten_thousand_names_scroll() {
    let open = Open::start();
    let (folder, browser) = (open.daemon.mount().join("many"), &open.browser);
    fs::create_dir(&folder).unwrap();
    for n in 0..10_000 {
        fs::write(folder.join(format!("file {n}")), "").unwrap();
    }
    browser.click(".rows .entry-name", "many");
    browser.wait_for(".foot", "10,000 items");
    let rows = || browser.run("return document.querySelectorAll('.rows .row').length", &[]).as_u64().unwrap();
    assert!(rows() < 100, "{} rows are on the page", rows());
    browser.run("document.querySelector('.rows .row').focus()", &[]);
    browser.press("\u{e010}");
    browser.wait_for(".rows .entry-name", "file 9999");
    assert!(rows() < 100);
    assert_eq!(
        browser.run("return document.activeElement.textContent.includes('file 9999')", &[]),
        json!(true)
    );
}

#[test]
fn a_conflict_is_shown_and_ended_by_choosing() {
    let named = |name| {
        Start::default().arg("--name").arg(name).arg("--listen").arg(format!("127.0.0.1:{}", free_port()))
    };
    let mut first = Open::with(named("attic"));
    let mut second = named("laptop").start();
    let code = first.daemon.json(&["invite"])["code"].clone();
    let joined = second.command(["join", code.as_str().unwrap(), "--peer", &first.peers]);
    assert!(joined.status.success(), "{}", String::from_utf8_lossy(&joined.stderr));
    let on = |daemon: &tests::Daemon| daemon.mount().join("plan & notes.txt");
    fs::write(on(&first.daemon), "the same").unwrap();
    eventually("the file on both", || fs::read(on(&second)).is_ok_and(|bytes| bytes == b"the same"));
    second.stop();
    fs::write(on(&first.daemon), "from attic").unwrap();
    first.daemon.wait_until_settled();
    first.daemon.stop();
    second.start_again();
    fs::write(on(&second), "from the laptop").unwrap();
    second.wait_until_settled();
    first.daemon.start_again();
    first.browser.go("about:blank");
    first.browser.go(&first.link());
    first.browser.wait_for(".badge.conflict", "Conflict");
    first.browser.shot("conflict");
    first.page("Health");
    first.browser.wait_for(".conflict", "plan & notes.txt");
    first.browser.wait_for(".conflict", "by laptop");
    for content in ["from attic", "from the laptop"] {
        first.browser.wait_for(".side-version pre", content);
    }
    first.browser.shot("health-conflict");
    let opens = fs::read(on(&first.daemon)).unwrap();
    first.browser.click(".conflict button", "Keep this one");
    first.browser.wait_for(".toast", "This version opens now");
    let other: &[u8] = if opens == b"from attic" { b"from the laptop" } else { b"from attic" };
    eventually("the other version", || fs::read(on(&first.daemon)).is_ok_and(|bytes| bytes == other));
    first.page("Drive");
    first.browser.wait("no conflict", || !first.browser.shows(".badge.conflict", ""));
}
