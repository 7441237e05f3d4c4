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
    browser.click("button", "Licences");
    browser.wait_for("dialog table th", "axum");
    browser.wait_for("dialog table td", "MIT");
    browser.click("dialog button[title='Licence of axum']", "MIT");
    browser.wait_for("dialog .stage pre", "Permission is hereby granted");
    browser.wait_for("dialog .stage pre", "axum Contributors");
    browser.shots("licence", "dialog .stage");
    browser.press("\u{e00c}");
    browser.press("\u{e00c}");
    browser.click("button", "Show the 24 words");
    browser.wait("24 words", || {
        browser.run("return document.querySelectorAll('dialog .words li').length", &[]) == json!(24)
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_list_fits_a_screen_that_becomes_another_one() {
    let open = Open::start();
    let browser = &open.browser;
    for name in ["one.txt", "two.txt", "three.txt"] {
        fs::write(open.daemon.mount().join(name), name).unwrap();
    }
    browser.wait_for(".rows .badge", "Only here");
    browser.wait_for(".rows .entry-name", "two.txt");
    let overlaps =
        "const rows = [...document.querySelectorAll('.rows .row')].map((row) => row.getBoundingClientRect());
        return rows.length !== 3 || rows.some((row, at) => at > 0 && row.top < rows[at - 1].bottom - 1)";
    for is_phone in [true, false] {
        browser.on_a_phone(is_phone);
        browser.wait("rows that do not overlap", || browser.run(overlaps, &[]) == json!(false));
    }
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
    first.browser.wait_for("dialog .notice", "laptop has joined");
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
