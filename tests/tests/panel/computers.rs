//! Several computers: what a page tells of them while they come, go, lose and get back.

use std::fs;

use serde_json::json;
use tests::{Start, eventually, noise};

use super::{Open, free_port};

/// Where others find it again after a restart.
fn open(name: &str) -> Open {
    Open::with(
        Start::default().arg("--name").arg(name).arg("--listen").arg(format!("127.0.0.1:{}", free_port())),
    )
}

fn pair() -> (Open, Open) {
    let (first, second) = (open("attic"), open("laptop"));
    second.join(&first);
    first.browser.wait_for(".verdict-line", "drive is empty");
    (first, second)
}

#[test]
fn a_computer_that_went_is_given_up_and_waited_for_again() {
    let (first, mut second) = pair();
    let browser = &first.browser;
    assert!(second.daemon.stop().success());
    fs::write(first.daemon.mount().join("alone.txt"), "nobody else has it").unwrap();
    first.page("Health");
    browser.wait_for(".verdict", "1 file exists only here");
    browser.wait_for(".verdict", "as soon as another computer is online");
    browser.wait_for(".risks", "alone.txt");
    browser.shot("health-only-here");
    first.page("Devices");
    browser.wait("that it is missed", || !browser.shows(".topology .link-text", "direct"));
    let in_menu = |button: &str| {
        browser.click("button[aria-label='Actions for laptop']", "");
        browser.click(".menu button", button);
    };
    in_menu("It will not come back");
    browser.wait_for("dialog", "Give laptop up as lost?");
    browser.click("dialog button", "It will not come back");
    browser.wait_for(".card .presence", "Lost");
    assert_eq!(state_of(&first, "laptop"), json!("lost"));
    browser.shot("devices-lost");
    in_menu("It is coming back");
    browser.wait_for(".toast", "laptop is waited for again");
    eventually("it is no longer given up", || state_of(&first, "laptop") != json!("lost"));
    second.start_again();
    browser.wait_for(".topology .link-text", "direct");
    browser.wait_for(".verdict-line", "Everything is safe, on 2 computers");
    assert_eq!(fs::read(second.daemon.mount().join("alone.txt")).unwrap(), b"nobody else has it");
}

#[test]
fn badges_tell_on_how_many_computers_a_file_is() {
    let (first, second) = pair();
    let mut third = open("cellar");
    third.join(&first);
    let browser = &first.browser;
    // Of many chunks, and so small that it lies in the tree itself.
    fs::write(first.daemon.mount().join("film.bin"), noise(9, 8 << 20)).unwrap();
    fs::write(first.daemon.mount().join("letter.txt"), "dear all").unwrap();
    first.daemon.wait_until_settled();
    let of = |name: &str| format!(".rows .row:has([aria-label='Select {name}']) .badge");
    let (film, letter) = (of("film.bin"), of("letter.txt"));
    for open in [&first, &second, &third] {
        for badge in [&film, &letter] {
            open.browser.wait_for(&format!("{badge}.safe .copies"), "3/3");
        }
    }
    // Whoever cannot see the figure is told it in words.
    browser.wait_for(&film, "found on 3 of 3 computers");
    browser.shots("badges", ".rows .badge");
    // Of a computer that is away nobody says that it has it still.
    assert!(third.daemon.stop().success());
    browser.wait_for(&format!("{film}.safe .copies"), "2/3");
    let title = browser.run("return document.querySelector('.rows .badge.safe').title", &[]);
    assert!(title.as_str().unwrap().contains("Found on 2 of 3 computers"), "{title}");
    fs::write(first.daemon.mount().join("new.bin"), noise(10, 3 << 20)).unwrap();
    first.daemon.wait_until_settled();
    let new = of("new.bin");
    browser.wait_for(&format!("{new}.on_its_way .copies"), "2/3");
    third.start_again();
    for badge in [&film, &letter, &new] {
        browser.wait_for(&format!("{badge}.safe .copies"), "3/3");
    }
    let title = browser.run("return document.querySelector('.rows .badge.safe').title", &[]);
    assert!(title.as_str().unwrap().contains("On enough computers"), "{title}");
    assert_eq!(first.browser.complaints(), Vec::<String>::new());
}

fn state_of(open: &Open, name: &str) -> serde_json::Value {
    let devices = open.daemon.json(&["devices"]);
    devices.as_array().unwrap().iter().find(|device| device["name"] == name).unwrap()["state"].clone()
}

#[test]
fn the_name_of_this_computer_is_changed_in_settings_and_seen_by_all() {
    let (first, second) = pair();
    let browser = &first.browser;
    first.page("Settings");
    browser.click("dl button", "Rename");
    browser.fill("#ask-text", "cellar");
    browser.click("dialog form button", "Save");
    browser.wait_for("dl", "cellar");
    assert_eq!(first.daemon.json(&["status"])["name"], "cellar");
    second.page("Devices");
    second.browser.wait_for(".card h2", "cellar");
}

#[test]
fn what_was_wiped_comes_back_while_the_page_tells_how_fast_and_how_long() {
    let (first, mut second) = pair();
    fs::write(first.daemon.mount().join("film.bin"), noise(9, 12 << 20)).unwrap();
    first.daemon.wait_until_settled();
    first.browser.wait_for(".verdict-line", "Everything is safe, on 2 computers");
    let slow = second.daemon.json(&["contribute", "--down", "500K"]);
    assert_eq!(slow["down"], 500 << 10);
    assert!(second.daemon.stop().success());
    fs::remove_dir_all(second.daemon.data().join("chunks")).unwrap();
    second.start_again();
    let browser = &second.browser;
    second.page("Devices");
    browser.wait_for(".topology .link-speed", "KiB/s");
    browser.wait_for(".card", "↓");
    browser.shot("devices-speed");
    second.page("Health");
    browser.wait_for("main", "being fetched from other computers: about 1 minute to go");
    browser.shot("health-mending");
    assert!(second.daemon.json(&["status"])["mending_chunks"].as_u64().unwrap() > 0);
    assert_eq!(second.daemon.json(&["contribute", "--down", "off"])["down"], 0);
    browser.wait_for("main", "Nothing is damaged or missing on this computer");
    assert_eq!(second.daemon.json(&["status"])["mending_chunks"], 0);
}

#[test]
fn health_tells_of_passes_that_nobody_asked_for_and_of_what_they_found() {
    let (first, mut second) = pair();
    fs::write(first.daemon.mount().join("film.bin"), noise(8, 6 << 20)).unwrap();
    first.daemon.wait_until_settled();
    first.browser.wait_for(".verdict-line", "Everything is safe, on 2 computers");
    second.page("Health");
    second.browser.wait_for("main", "everything once in 30 days");
    second.browser.wait_for("#passes", "none yet");
    assert!(second.daemon.stop().success());
    flip_a_byte_of_each_pack(&second);
    second.daemon.add_setting("scrub = \"8s\"");
    second.start_again();
    second.page("Health");
    let browser = &second.browser;
    browser.wait_for("#passes", "nothing damaged");
    browser.wait("a pass, and what it found made good", || {
        let status = second.daemon.json(&["status"]);
        status["healed_chunks"].as_u64().unwrap() > 0 && status["damaged_chunks"] == 0
    });
    browser.wait_for("#passes", "0 pieces damaged now, ");
    browser.wait_for("#passes", "read, nothing damaged");
    browser.wait_for("main", "replaced by good copies since the start");
    browser.wait("earlier passes, the one with damage among them", || {
        let rows = browser.run("return document.querySelectorAll('#pass-history tbody tr').length", &[]);
        rows.as_u64().unwrap() > 1 && browser.shows("#pass-history .wrong", "damaged")
    });
    browser.shots("health-passes", "#pass-history");
    // The other computer is told of it, and draws it as well.
    first.page("Health");
    first.browser.wait_for("#their-passes tr", "laptop");
    first.browser.wait_for("#their-passes td", "all whole");
    first.browser.wait_for("#their-passes td", "mended");
    first.browser.wait_for("#their-passes td", "nothing damaged");
    first.browser.shots("health-others", "#their-passes");
    let passes = |open: &Open| open.daemon.json(&["status"])["scrub"]["passes"].as_array().unwrap().clone();
    let before = passes(&second);
    second.daemon.restart();
    second.browser.go(&second.link());
    assert!(passes(&second).ends_with(&before), "what was found is not forgotten by a start");
    second.browser.wait_for("nav .links", "Devices");
    second.page("Health");
    let browser = &second.browser;
    // And once by hand: all is as it should be, and that stands in the history.
    browser.click("main button", "Start");
    browser.wait_for("main", "Every piece is as it should be.");
    browser.wait_for("#pass-history td", "by hand");
    assert_eq!(browser.complaints().iter().filter(|line| !line.contains("ERR_")).count(), 0);
}

/// As a disk does that forgets.
fn flip_a_byte_of_each_pack(open: &Open) {
    let folders = fs::read_dir(open.daemon.data().join("chunks/packs")).unwrap();
    for pack in folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap()) {
        let path = pack.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
}
