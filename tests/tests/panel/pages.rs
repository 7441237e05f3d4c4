//! Every page opens, tells the truth, and makes the browser complain of nothing.

use std::fs;

use serde_json::json;
use tests::{Start, noise, report};

use super::{Open, PAGES};

/// What the panel may cost to open. Bytes.
const TRANSFERRED_MAX_BYTES: u64 = 300_000;

#[test]
fn every_page_opens_without_a_complaint_in_light_dark_and_on_a_phone() {
    let open = Open::with(Start::default().arg("--name").arg("attic"));
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    browser.wait_for(".start", "Welcome to your drive");
    browser.shot("start-light");
    for folder in ["Photos/2026 Lisbon", "Letters", "Music"] {
        fs::create_dir_all(mount.join(folder)).unwrap();
    }
    for (name, bytes) in [
        ("budget 2026.csv", 2_000),
        ("film.mp4", 3_000_000),
        ("notes.md", 700),
        ("thesis.pdf", 900_000),
        ("voice.ogg", 80_000),
    ] {
        fs::write(mount.join(name), noise(7, bytes)).unwrap();
    }
    open.daemon.wait_until_settled();
    browser.wait_for(".rows .entry-name", "thesis.pdf");
    for (scheme, width, name) in [("light", 1280, "light"), ("dark", 1280, "dark"), ("light", 390, "phone")] {
        browser.chromium(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        let height = if width < 500 { 860 } else { 1500 };
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        browser.chromium("Emulation.setDeviceMetricsOverride", &size);
        for page in PAGES {
            open.page(page);
            browser.wait(page, || {
                browser.run("return document.querySelector('main .loading') === null", &[]) == json!(true)
            });
            browser.shot(&format!("{}-{name}", page.to_lowercase()));
            let overflows = browser.run("return document.documentElement.scrollWidth > innerWidth", &[]);
            assert_eq!(overflows, json!(false), "{page} is wider than the screen ({name})");
        }
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The least that is a PDF.
const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n\
4 0 obj<</Length 40>>stream\nBT /F 24 Tf 40 100 Td (A letter) Tj ET   \nendstream endobj\ntrailer<</Root 1 0 R>>\n";

#[test]
fn files_are_shown_as_what_they_are() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    let picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"300\" height=\"200\"><rect width=\"300\" height=\"200\" fill=\"teal\"/></svg>";
    for (name, content) in
        [("a picture.svg", picture), ("letter.pdf", PDF), ("notes.md", "# Notes\n\nplain *text*")]
    {
        fs::write(mount.join(name), content).unwrap();
    }
    browser.click(".rows .entry-name", "a picture.svg");
    browser.wait("the picture", || {
        browser.run("return document.querySelector('.stage img')?.naturalWidth", &[]) == json!(300)
    });
    browser.shot("preview-image");
    browser.click("dialog button", "Next file");
    browser.wait_for("dialog h2", "letter.pdf");
    browser.wait("the viewer", || {
        browser.run("return document.querySelector('.stage iframe') !== null", &[]) == json!(true)
    });
    browser.shot("preview-pdf");
    browser.click("dialog button", "Next file");
    browser.wait_for(".stage pre", "plain *text*");
    browser.shot("preview-text");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_panel_is_light_and_says_what_is_the_case() {
    let open = Open::start();
    let browser = &open.browser;
    let bytes = browser.run(
        "return [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
           .filter((entry) => !entry.name.includes('/api/')).reduce((sum, entry) => sum + entry.transferSize, 0)",
        &[],
    );
    assert!(bytes.as_u64().unwrap() < TRANSFERRED_MAX_BYTES, "{bytes} bytes");
    let paint =
        browser.run("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime", &[]);
    report(format!("{bytes} bytes, first paint after {paint} ms"));
    assert!(
        !browser.run("return location.href", &[]).as_str().unwrap().contains("link="),
        "the secret is gone from the address"
    );
    fs::write(open.daemon.mount().join("one"), "text").unwrap();
    browser.wait_for(".verdict-line", "1 file exists on this computer only");
    open.page("Health");
    browser.wait_for(".verdict", "One computer alone is never safe");
    browser.wait_for(".risks", "one");
    browser.click("button", "Look");
    browser.wait_for(".findings", "the drive answers at");
    open.page("Settings");
    browser.wait_for("dl", &open.daemon.mount().display().to_string());
    browser.click("button", "Show the 24 words");
    browser.wait("24 words", || {
        browser.run("return document.querySelectorAll('dialog .words li').length", &[]) == json!(24)
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_limit_set_with_the_slider_holds() {
    let open = Open::start();
    let browser = &open.browser;
    open.page("Storage");
    browser.wait_for(".disk + .legend", "Used by the drive");
    browser.run(
        "const slider = document.getElementById('give'); slider.value = 300; slider.dispatchEvent(new Event('input'));",
        &[],
    );
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
    browser.wait_for(".shares", "100 % of all copies");
    browser.wait_for("#written li", "10 MiB in 3 files · 100 %");
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
    browser.shot("hours");
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
fn two_computers_are_paired_through_the_page() {
    let first = Open::with(Start::default().arg("--name").arg("attic"));
    let second = Open::with(Start::default().arg("--name").arg("laptop"));
    fs::write(first.daemon.mount().join("letter.txt"), "dear all").unwrap();
    first.page("Devices");
    first.browser.click("button", "Pair a computer");
    first.browser.click("dialog button", "Create");
    first.browser.wait_for("dialog .code", "-");
    first.browser.shot("pair");
    let code = first.browser.run("return document.querySelector('dialog .code').textContent", &[]);
    second.page("Devices");
    second.browser.click("button", "Join another drive");
    second.browser.fill("#join-code", code.as_str().unwrap());
    second.browser.fill("#join-peer", &first.peers);
    second.browser.click("dialog button", "Join");
    first.browser.wait_for("dialog .done", "laptop has joined");
    second.browser.wait_for(".rows .entry-name", "letter.txt");
    assert_eq!(fs::read(second.daemon.mount().join("letter.txt")).unwrap(), b"dear all");
    first.browser.press("\u{e00c}");
    first.browser.wait_for(".card", "direct");
    first.browser.wait_for(".verdict-line", "Everything is safe");
    first.browser.shot("devices-two");
    first.page("Health");
    first.browser.wait_for(".verdict", "Everything is safe, on 2 computers");
    first.browser.shot("health-two");
    first.page("Drive");
    first.browser.wait_for(".badge.safe", "Safe");
}
