//! What the Storage page tells and sets: room, speed, hours, and who holds what.

use std::fs;

use serde_json::{Value, json};
use tests::{Start, eventually, noise};

use super::Open;

#[test]
fn a_limit_set_with_the_slider_holds() {
    let open = Open::start();
    let browser = &open.browser;
    open.page("Storage");
    browser.wait_for(".disk + .legend", "Used by the drive");
    open.slide(300);
    browser.fill("#up", "2M");
    browser.click("button", "Save");
    browser.wait_for(".toast", "Saved.");
    let given = open.daemon.json(&["contribute"]);
    let shown = browser.run("return document.querySelector('.big-label output').textContent", &[]);
    assert_eq!(given["up"], json!(2 << 20));
    assert!(given["contributed"].as_u64().unwrap() > 0, "{given}");
    assert!(shown.as_str().unwrap().contains("iB"), "{shown}");
    browser.fill("#down", "much");
    browser.click("button", "Save");
    browser.wait_for(".wrong", "Write a size like 10G");
    // Nothing passes it: the smallest step that is not nothing, and more than that in files.
    browser.fill("#down", "");
    browser.run(
        "const slider = document.getElementById('give');
         for (let step = 1; document.querySelector('.big-label output').textContent !== '128 MiB' && step < 1000; step += 1) { slider.value = step; slider.dispatchEvent(new Event('input')); }",
        &[],
    );
    browser.click("button", "Save");
    eventually("what is given is less", || {
        open.daemon.json(&["contribute"])["contributed"] == json!(128 << 20)
    });
    let written = (0..16).map(|number| {
        fs::write(open.daemon.mount().join(format!("noise {number}")), noise(number, 16 << 20))
            .and_then(|()| fs::File::open(open.daemon.mount().join(format!("noise {number}")))?.sync_all())
    });
    let refused = written.filter_map(Result::err).next().expect("256 MiB are not stored in 128");
    assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull, "{refused}");
    let used = open.api("/storage")["used"].as_u64().unwrap();
    assert!(used <= 128 << 20, "{used}");
}

#[test]
fn the_storage_page_shows_what_the_daemon_counts() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    fs::write(mount.join("noise.bin"), noise(5, 3 << 20)).unwrap();
    fs::write(mount.join("the same.bin"), noise(5, 3 << 20)).unwrap();
    fs::write(mount.join("zeros.txt"), "0".repeat(4 << 20)).unwrap();
    open.daemon.wait_until_settled();
    let storage = open.api("/storage");
    let number = |key: &str| storage[key].as_u64().unwrap();
    let (live, used) = (number("live_bytes"), number("used"));
    assert!((3 << 20..4 << 20).contains(&live) && used >= live, "{storage}");
    assert!(number("saved_bytes") >= 3 << 20, "the same again: {storage}");
    assert!(number("compressed_away_bytes") >= 200_000, "zeros: {storage}");
    open.page("Storage");
    let shown = |label: &str| {
        browser.wait_for("dt", label);
        let script = "return [...document.querySelectorAll('dt')].find((term) => term.textContent === arguments[0]).nextSibling.textContent";
        browser.run(script, &[json!(label)]).as_str().unwrap().to_string()
    };
    let size = |bytes: u64| {
        let script = "return import('/panel/format.js').then(({ size }) => size(arguments[0]))";
        browser.run(script, &[json!(bytes)]).as_str().unwrap().to_string()
    };
    for (label, bytes) in [
        ("Files of the drive", 10 << 20),
        ("Stored here", live),
        ("Not stored twice", number("saved_bytes")),
        ("Compressed away", number("compressed_away_bytes")),
    ] {
        let (told, wanted) = (shown(label), size(bytes));
        assert!(told.starts_with(&wanted), "{label}: {told}, not {wanted}");
    }
    assert!(shown("Files of the drive").contains("3 files"));
    browser.wait_for(".shares", "100\u{a0}% of all copies");
    browser.wait_for("#written li", "10 MiB in 3 files · 100\u{a0}%");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn limits_of_some_hours_are_set_and_held() {
    let mut open = Open::start();
    let config = open.daemon.data().join("config.toml");
    fs::write(&config, fs::read_to_string(&config).unwrap() + "# mine\nlog = \"warn\"\n").unwrap();
    let browser = &open.browser;
    open.page("Storage");
    browser.wait_for("#hours", "the limits above hold at all hours");
    browser.click("#hours button", "Add hours");
    // All days, all day: whatever the hour is, they hold.
    browser.run(
        "for (const day of document.querySelectorAll('#hours .days input')) day.checked = true;
         for (const time of document.querySelectorAll('#hours input[type=time]')) time.value = '00:00';",
        &[],
    );
    browser.fill("#hours .limits label:nth-of-type(3) input", "fast");
    browser.click("#hours button", "Save");
    browser.wait_for("#hours .wrong", "Hours 1: write a size like 1M");
    browser.fill("#hours .limits label:nth-of-type(3) input", "3M");
    browser.click("#hours button", "Save");
    browser.wait_for(".toast", "They hold now");
    browser.wait_for("#hours-now", "Now holds 00:00 to 00:00: sending 3 MiB/s, receiving no limit");
    browser.shots("hours", "#hours");
    let held = |daemon: &tests::Daemon| {
        let now = daemon.json(&["contribute"]);
        (now["up"].clone(), now["up_now"].clone(), now["hours_now"].clone())
    };
    assert_eq!(held(&open.daemon), (json!(0), json!(3 << 20), json!("00:00 to 00:00")));
    let kept = fs::read_to_string(&config).unwrap();
    assert!(kept.contains("# mine\nlog = \"warn\"\n") && kept.contains("[[hours]]\n"), "{kept}");

    browser
        .run("for (const day of document.querySelectorAll('#hours .days input')) day.checked = false;", &[]);
    browser.click("#hours button", "Save");
    browser.wait_for("#hours .wrong", "span 1: days: name one day at least");
    open.daemon.restart();
    assert_eq!(held(&open.daemon).1, json!(3 << 20), "it outlives the daemon");
    open.browser.go(&open.link());
    open.browser.wait_for("nav .links", "Devices");
    open.page("Storage");
    open.browser.click("#hours button[aria-label='Remove hours 1']", "");
    open.browser.click("#hours button", "Save");
    open.browser.wait_for("#hours", "the limits above hold at all hours");
    assert_eq!(held(&open.daemon), (json!(0), json!(0), json!(null)));
    assert!(!fs::read_to_string(&config).unwrap().contains("hours"));
}

#[test]
fn hours_set_by_the_command_are_on_the_page_and_the_other_way_round() {
    let open = Open::start();
    let browser = &open.browser;
    open.page("Storage");
    browser.wait_for("#hours", "the limits above hold at all hours");
    let hours = |args: &[&str]| open.daemon.json(&[&["hours"], args].concat());
    assert_eq!(hours(&[]), json!([]));
    hours(&["add", "--days", "mon-fri", "--from", "08:00", "--to", "18:00", "--up", "1M"]);
    let all_day = ["add", "--from", "00:00", "--to", "24:00", "--down", "5M", "--first"];
    let both = hours(&all_day);
    assert_eq!((&both[0]["down"], &both[0]["up"]), (&json!(5 << 20), &Value::Null));
    assert_eq!(both[1]["days"], json!(["mon", "tue", "wed", "thu", "fri"]));
    assert_eq!(open.daemon.json(&["contribute"])["down_now"], json!(5 << 20), "the network goes by it");
    let shown = tests::told(&open.daemon.command(["hours"]));
    for told in ["mon-sun  00:00  24:00  as usual   5.0 MiB/s", "mon-fri  08:00  18:00  1.0 MiB/s  as usual"]
    {
        assert!(shown.contains(told), "{shown}");
    }
    open.page("Drive");
    open.page("Storage");
    browser.wait("both spans", || {
        browser.run("return document.querySelectorAll('#hours fieldset').length", &[]) == json!(2)
    });
    browser.wait_for("#hours-now", "receiving 5 MiB/s");
    browser.click("#hours button[aria-label='Remove hours 2']", "");
    browser.click("#hours button", "Save");
    browser.wait_for(".toast", "They hold now");
    assert_eq!(hours(&[]).as_array().unwrap().len(), 1);
    let missing = open.daemon.command(["hours", "remove", "2"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(tests::told(&missing).contains("there are no hours 2"), "{}", tests::told(&missing));
    let wrong = open.daemon.command(["hours", "add", "--from", "8", "--to", "18:00", "--up", "1M"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(tests::told(&wrong).contains("a time of day is like"), "{}", tests::told(&wrong));
    assert_eq!(hours(&["remove", "1"]), json!([]));
    hours(&all_day);
    assert_eq!(hours(&["clear"]), json!([]));
    assert_eq!(open.daemon.json(&["contribute"])["down_now"], json!(0));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn who_holds_which_part_is_drawn_as_the_group_has_it() {
    let first = Open::with(Start::default().arg("--name").arg("attic").arg("--contribute").arg("4G"));
    let second = Open::with(Start::default().arg("--name").arg("laptop").arg("--contribute").arg("1G"));
    second.join(&first);
    fs::write(first.daemon.mount().join("film.bin"), noise(6, 24 << 20)).unwrap();
    first.daemon.wait_until_settled();
    first.browser.wait_for(".verdict-line", "Everything is safe, on 2 computers");
    let told = || first.api("/storage/distribution");
    let sum =
        |list: &Value| list.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum::<u64>();
    eventually("all chunks are in the index", || {
        sum(&told()["chunks_here"]) == first.api("/storage")["chunks"]
    });
    let used = |of: &Value| of["used"].as_u64().unwrap() > 24 << 20;
    eventually("the other one tells what it uses", || used(&told()["devices"][1]));
    let spread = told();
    assert!(sum(&spread["chunks_here"]) > 100, "{spread}");
    assert_eq!(spread["chunks_here"].as_array().unwrap().len(), 64);
    for (device, name) in [(0, "attic"), (1, "laptop")] {
        let of = &spread["devices"][device];
        // Of two computers each keeps everything.
        assert_eq!(
            (&of["name"], &of["owned"], sum(&of["owned_by_group"])),
            (&json!(name), &json!(4096), 4096)
        );
        assert!(used(of), "{of}");
    }
    first.page("Storage");
    let browser = &first.browser;
    browser.wait_for("#spread .owned", "keeps 4,096 of 4,096 partitions");
    let squares = "return [...document.querySelectorAll('#spread .owned .strip')].map((strip) => strip.children.length)";
    assert_eq!(browser.run(squares, &[]), json!([64, 64]));
    let heights = "return [...document.querySelectorAll('#spread .bars i')].map((bar) => bar.getBoundingClientRect().height)";
    let heights = browser.run(heights, &[]);
    let highest =
        heights.as_array().unwrap().iter().map(|height| height.as_f64().unwrap()).fold(0.0, f64::max);
    assert!(highest > 60.0, "the fullest is as high as the picture: {heights}");
    browser.shots("spread", "#spread");
    // Who gives nothing more owns nothing.
    assert_eq!(second.daemon.json(&["contribute", "0"])["contributed"], json!(0));
    browser.wait_for("#spread .owned", "keeps no partition");
    eventually("the API says so", || told()["devices"][1]["owned"] == 0);
    assert_eq!(told()["devices"][1]["owned_by_group"], json!([]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
