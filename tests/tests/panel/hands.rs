//! What a person does by hand in the page: drop, look at a grid, decide, let in and shut out.

use std::fs;

use serde_json::json;
use tests::{Start, eventually, noise};

use super::{Open, free_port};

#[test]
fn what_is_dropped_on_the_page_is_in_the_mount_folders_and_all() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    fs::write(mount.join("here already"), "x").unwrap();
    browser.wait_for(".rows .entry-name", "here already");
    let beside = open.daemon.beside();
    fs::create_dir_all(beside.join("a folder/deep")).unwrap();
    fs::write(beside.join("a folder/deep/inside.bin"), noise(3, 300_000)).unwrap();
    fs::write(beside.join("dropped.bin"), noise(4, 6 << 20)).unwrap();
    let files = ["a folder", "dropped.bin"].map(|name| json!(beside.join(name)));
    for kind in ["dragEnter", "dragOver", "drop"] {
        let data = json!({ "items": [], "files": files, "dragOperationsMask": 1 });
        browser
            .chromium("Input.dispatchDragEvent", &json!({ "type": kind, "x": 700, "y": 500, "data": data }));
        if kind == "dragOver" {
            browser.wait_for(".veil:not([hidden])", "Drop to upload here");
        }
    }
    browser.wait_for(".tray", "All uploads are done");
    browser.wait_for(".rows .entry-name", "a folder");
    assert_eq!(fs::read(mount.join("dropped.bin")).unwrap(), noise(4, 6 << 20));
    assert_eq!(fs::read(mount.join("a folder/deep/inside.bin")).unwrap(), noise(3, 300_000));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_drive_shows_as_a_grid_and_stays_so() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    fs::create_dir(mount.join("Letters")).unwrap();
    let picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"30\" height=\"20\"><rect width=\"30\" height=\"20\" fill=\"teal\"/></svg>";
    fs::write(mount.join("a picture.svg"), picture).unwrap();
    browser.wait_for(".rows .entry-name", "a picture.svg");
    browser.click("button[aria-label='Show as a grid']", "");
    browser.wait_for(".tile-name", "a picture.svg");
    browser.wait("the picture", || {
        browser.run("return document.querySelector('.tile img')?.naturalWidth", &[]) == json!(30)
    });
    browser.shot("grid");
    browser.click(".tile", "Letters");
    browser.wait_for(".crumbs h1", "Letters");
    fs::write(mount.join("Letters/one.txt"), "x").unwrap();
    browser.wait_for(".tile-name", "one.txt");
    browser.click("button[aria-label='Show as a list']", "");
    browser.wait_for(".rows .entry-name", "one.txt");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A bitmap of `width` times `height`, of one colour.
fn bitmap(width: u32, height: u32) -> Vec<u8> {
    let pixels = width * height * 3;
    let mut file = b"BM".to_vec();
    for field in [54 + pixels, 0, 54, 40, width, height, 1 | 24 << 16, 0, pixels, 0, 0, 0, 0] {
        file.extend(field.to_le_bytes());
    }
    file.extend([90, 140, 40].repeat((width * height) as usize));
    file
}

#[test]
fn pictures_are_small_in_the_grid_and_long_ones_are_not_fetched() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    fs::write(mount.join("a.bmp"), bitmap(800, 600)).unwrap();
    fs::write(mount.join("broken.png"), "no picture").unwrap();
    fs::write(mount.join("long.bmp"), bitmap(2400, 1800)).unwrap();
    browser.wait_for(".rows .entry-name", "long.bmp");
    browser.click("button[aria-label='Show as a grid']", "");
    browser.wait("the picture", || {
        browser.run("return document.querySelector('.tile canvas')?.width", &[]) == json!(320)
    });
    browser.shot("grid-pictures");
    let fetched = "return performance.getEntriesByType('resource').map((one) => one.name).filter((name) => name.includes('/files/content')).map((name) => name.split('/').pop()).sort()";
    browser.wait("that the broken one was tried", || {
        browser.run(fetched, &[]) == json!(["a.bmp", "broken.png"])
    });
    assert_eq!(browser.run("return document.querySelectorAll('.tile .icon-image').length", &[]), json!(2));
    // Drawn anew, it is not fetched anew.
    fs::write(mount.join("another.txt"), "x").unwrap();
    browser.wait_for(".tile-name", "another.txt");
    browser.wait_for(".tile canvas", "");
    let of_a = format!("{fetched}.filter((name) => name === 'a.bmp')");
    assert_eq!(browser.run(&of_a, &[]), json!(["a.bmp"]));
}

#[test]
fn a_token_is_made_used_and_revoked_in_the_page() {
    let open = Open::start();
    let browser = &open.browser;
    open.page("Settings");
    browser.click("button", "Create a token");
    browser.fill("#token-name", "a backup");
    browser.click("dialog form button", "Create a token");
    browser.wait_for("dialog .code", "");
    let token = browser.run("return document.querySelector('dialog .code').textContent", &[]);
    let base = browser.run("return location.origin", &[]);
    let ask = |method: &str, route: &str| {
        let script = "const [url, method, token] = arguments;
                      return fetch(url, { method, credentials: 'omit', headers: { authorization: `Bearer ${token}` } }).then((answer) => answer.status)";
        let url = format!("{}/api/v1{route}", base.as_str().unwrap());
        browser.run(script, &[json!(url), json!(method), token.clone()])
    };
    assert_eq!(ask("GET", "/status"), json!(200));
    assert_eq!(ask("POST", "/files/folder?path=x"), json!(403), "it only reads");
    browser.press("\u{e00c}");
    browser.wait_for("main", "a backup");
    assert_eq!(open.daemon.json(&["token", "list"])[0]["name"], json!("a backup"));
    browser.click("main button", "Revoke");
    browser.click("dialog button", "Revoke");
    browser.wait("that it goes", || !browser.shows("main .versions strong", "a backup"));
    assert_eq!(ask("GET", "/status"), json!(401));
    let made = open.daemon.json(&["token", "create", "by hand", "--scope", "write"]);
    assert_eq!((&made["scope"], made["token"].as_str().unwrap().len()), (&json!("write"), 64));
    assert!(open.daemon.command(["token", "revoke", "by hand"]).status.success());
    assert_eq!(open.daemon.json(&["token", "list"]), json!([]));
}

#[test]
fn a_setting_is_changed_for_the_next_start() {
    let open = Open::start();
    let browser = &open.browser;
    open.page("Settings");
    browser.fill("#set-history", "60d\u{e007}");
    browser.wait_for(".toast", "holds from the next start on");
    let config = || fs::read_to_string(open.daemon.data().join("config.toml")).unwrap();
    assert!(config().contains("history = \"60d\""), "{}", config());
    browser.fill("#set-history", "soon\u{e007}");
    browser.wait_for(".toast.bad", "history");
    assert!(config().contains("history = \"60d\""), "{}", config());
}

#[test]
fn the_24_words_are_proved() {
    let open = Open::start();
    let browser = &open.browser;
    open.page("Settings");
    browser.click("button", "Show the 24 words");
    browser.wait_for("dialog .words li", "");
    let words = browser.run(
        "return [...document.querySelectorAll('dialog .words li')].map((line) => line.textContent)",
        &[],
    );
    browser.click("dialog button", "I have written them down");
    let asked = browser
        .run("return [...document.querySelectorAll('dialog form input')].map((field) => field.id)", &[]);
    let fields: Vec<&str> = asked.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(fields.len(), 3);
    for field in &fields {
        browser.fill(&format!("#{field}"), "wrong");
    }
    browser.click("dialog form button", "Check");
    browser.wait_for("dialog .wrong", "That is not what was shown");
    for field in &fields {
        let at: usize = field.strip_prefix("word-").unwrap().parse().unwrap();
        browser.fill(&format!("#{field}"), words[at].as_str().unwrap());
    }
    browser.click("dialog form button", "Check");
    browser.wait_for(".toast", "written down and proved");
    open.page("Drive");
    browser.wait_for(".start", "written down and proved");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_device_is_renamed_and_removed_in_the_page() {
    let named = |name: &str| {
        Start::default().arg("--name").arg(name).arg("--listen").arg(format!("127.0.0.1:{}", free_port()))
    };
    let open = Open::with(named("attic"));
    let second = named("laptop").start();
    let code = open.daemon.json(&["invite"])["code"].clone();
    let joined = second.command(["join", code.as_str().unwrap(), "--peer", &open.peers]);
    assert!(joined.status.success(), "{}", String::from_utf8_lossy(&joined.stderr));
    let browser = &open.browser;
    open.page("Devices");
    browser.wait_for(".topology .node-name", "laptop");
    browser.wait_for(".topology .link-text", "direct");
    browser.shot("topology");
    let in_card = |button: &str| {
        browser.click("button[aria-label='Actions for laptop']", "");
        browser.click(".menu button", button);
    };
    in_card("If it were lost");
    browser.wait_for(
        "dialog .told",
        "Nothing would be lost, and of everything at least two copies would be left",
    );
    browser.shot("if-lost");
    browser.press("\u{e00c}");
    in_card("Rename");
    browser.fill("#ask-text", "travel laptop");
    browser.click("dialog form button", "Rename");
    browser.wait_for(".card h2", "travel laptop");
    eventually("the new name", || {
        let devices = open.daemon.json(&["devices"]);
        devices.as_array().unwrap().iter().any(|device| device["name"] == json!("travel laptop"))
    });
    browser.click("button[aria-label='Actions for travel laptop']", "");
    browser.click(".menu button", "Remove");
    browser.click("dialog button", "Remove");
    browser.wait_for(".toast", "travel laptop was removed");
    browser.wait("that the card goes", || !browser.shows(".card h2", "travel laptop"));
    assert_eq!(open.daemon.json(&["devices"]).as_array().unwrap().len(), 1);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn names_are_moved_and_copied_in_the_page() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    fs::write(mount.join("letter.txt"), "dear all").unwrap();
    let more = || {
        browser.wait_for(".rows .entry-name", "letter.txt");
        browser.run("document.querySelector('.rows [data-part=more]').click()", &[]);
    };
    more();
    browser.click(".menu button", "Make a copy");
    browser.wait_for(".rows .entry-name", "letter (copy).txt");
    assert_eq!(fs::read(mount.join("letter (copy).txt")).unwrap(), b"dear all");
    // Both at once, by the keyboard alone: Space selects, the bar offers to move.
    for name in ["letter.txt", "letter (copy).txt"] {
        let focus = "const row = [...document.querySelectorAll('.rows .row')].find((row) => row.querySelector('.entry-name').textContent === arguments[0]); row.focus(); return document.activeElement === row";
        browser.wait(name, || browser.run(focus, &[json!(name)]) == json!(true));
        browser.press(" ");
    }
    browser.wait_for(".selection-bar", "2 selected");
    browser.click(".selection-bar button", "Move to");
    browser.fill("#ask-text", "/post/2026");
    browser.press("\u{e007}");
    browser.wait_for(".rows .entry-name", "post");
    assert_eq!(fs::read(mount.join("post/2026/letter.txt")).unwrap(), b"dear all");
    assert!(mount.join("post/2026/letter (copy).txt").exists() && !mount.join("letter.txt").exists());
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_newcomer_names_the_computer_and_sets_a_passphrase_from_the_start() {
    let open = Open::with(Start::default().arg("--name").arg("attic"));
    let browser = &open.browser;
    browser.click(".step", "Name this computer: now it is “attic”");
    browser.fill("#ask-text", "cellar");
    browser.click("dialog form button", "Save");
    browser.wait_for(".step", "now it is “cellar”");
    assert_eq!(open.daemon.json(&["status"])["name"], "cellar");
    browser.shot("start-named");
    browser.click(".step", "Set a passphrase");
    browser.fill("#new", "tr");
    browser.wait_for(".strength .hint", "Very weak");
    browser.fill("#new", "seven amber falcons over a quiet lake");
    browser.wait_for(".strength .hint", "Strong");
    browser.fill("#again", "something else");
    browser.click("dialog form button", "Save");
    browser.wait_for("dialog .wrong", "not the same");
    browser.fill("#again", "seven amber falcons over a quiet lake");
    browser.click("dialog form button", "Save");
    browser.wait_for(".toast", "The passphrase is changed");
    assert_eq!(open.api("/keys")["locked"], json!(true));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_upload_is_one_deed_and_every_step_on_demand() {
    let open = Open::start();
    let browser = &open.browser;
    let letter = open.daemon.beside().join("letter.txt");
    fs::write(&letter, "dear all").unwrap();
    browser.choose_file("#picker", &letter);
    browser.wait_for(".rows .entry-name", "letter.txt");
    open.page("Activity");
    browser.wait_for(".log li", "added a file of 8 B/letter.txt");
    assert!(!browser.shows(".log", ".partial"), "what an upload is made of is told to nobody unasked");
    browser.click("main .actions button", "Every single step");
    browser.wait_for(".log li", ".partial");
    browser.wait_for(".log li", "made the file/letter.txt");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn versions_are_told_in_parts() {
    let open = Open::start();
    let browser = &open.browser;
    // More than one part holds: what is uploaded is a version at once.
    let upload = "for (let day = 100; day < 155; day += 1) {
        const request = new XMLHttpRequest();
        request.open('POST', '/api/v1/uploads?path=/diary.txt', false);
        request.setRequestHeader('Tus-Resumable', '1.0.0');
        request.setRequestHeader('Content-Type', 'application/offset+octet-stream');
        request.setRequestHeader('Upload-Length', '3');
        request.send(String(day));
    }";
    browser.run(upload, &[]);
    let all = open.daemon.json(&["history", "/diary.txt"]).as_array().unwrap().len();
    assert!(all > 50, "{all} versions");
    browser.click("button[aria-label='Actions for diary.txt']", "");
    browser.click(".menu button", "Versions and places");
    let shown = || {
        let script = "return document.querySelectorAll('dialog .versions .button.quiet').length";
        browser.run(script, &[]).as_u64().unwrap()
    };
    browser.wait_for("dialog .actions button", "Show more");
    let first = shown();
    browser.click("dialog .actions button", "Show more");
    browser.wait("the rest", || shown() > first && !browser.shows("dialog .actions button", "Show more"));
    let lines = "return document.querySelectorAll('dialog .versions li strong').length";
    // Each version, and where it is.
    browser.wait("each of them", || browser.run(lines, &[]).as_u64().unwrap() == all as u64);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn what_happened_is_told_in_parts_with_who_did_it() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    for number in 0..130 {
        fs::create_dir(mount.join(format!("folder {number}"))).unwrap();
    }
    let log = open.api("/log?limit=1");
    assert_eq!(log["entries"][0]["user"], json!("owner"), "{log}");
    open.page("Activity");
    let lines = || browser.run("return document.querySelectorAll('.log li').length", &[]).as_u64().unwrap();
    browser.wait_for(".log", "folder 129");
    assert_eq!(lines(), 100);
    browser.click("main .actions button", "Show more");
    browser.wait("the rest", || lines() > 129);
    browser.wait_for(".log", "folder 0");
    // What is new comes on top, and what was asked for stays.
    let before = lines();
    fs::create_dir(mount.join("one more")).unwrap();
    browser.wait_for(".log", "one more");
    browser.wait("one more line", || lines() == before + 1);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
