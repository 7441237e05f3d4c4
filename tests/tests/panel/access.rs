//! Everybody can use the panel: axe-core finds nothing serious on any page, light or dark.
//!
//! axe-core (MPL-2.0, <https://github.com/dequelabs/axe-core>) is a tool of this test alone; `cargo xtask tools` gets it.

use std::fs;

use serde_json::{Value, json};
use tests::Start;

use super::{Open, PAGES};

/// Rules of WCAG 2.2 up to AA, and what axe calls best practice.
const AXE: &str = "const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations
      .filter((one) => ['serious', 'critical'].includes(one.impact))
      .map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).slice(0, 3).join(' | ')}`)), (error) => done([String(error)]))";

impl Open {
    /// What axe finds serious on what the browser shows.
    fn violations(&self) -> Value {
        let axe = tests::tool_file("axe/node_modules/axe-core/axe.min.js");
        self.browser.run(&fs::read_to_string(axe).unwrap(), &[]);
        self.browser.run_until_told(AXE)
    }
}

#[test]
fn axe_finds_nothing_serious_on_any_page_light_or_dark() {
    let open = Open::with(Start::default().arg("--name").arg("attic"));
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    browser.wait_for(".start", "Welcome to your drive");
    let none = json!([]);
    assert_eq!(open.violations(), none, "the start");
    fs::create_dir(mount.join("Letters")).unwrap();
    fs::write(mount.join("notes.md"), "# Notes").unwrap();
    let code = "// why\n#[test]\nfn main() {\n    let count = 12;\n    println!(\"{count}\");\n}\n";
    fs::write(mount.join("main.rs"), code).unwrap();
    fs::write(mount.join("list.toml"), "# why\n[list]\nname = \"one\"\n").unwrap();
    open.daemon.wait_until_settled();
    browser.wait_for(".rows .entry-name", "notes.md");
    for scheme in ["light", "dark"] {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.chromium("Emulation.setEmulatedMedia", &media);
        for page in PAGES {
            open.page(page);
            browser.wait(page, || {
                browser.run("return document.querySelector('main .loading') === null", &[]) == json!(true)
            });
            assert_eq!(open.violations(), none, "{page}, {scheme}");
        }
        open.page("Drive");
        browser.click(".rows .entry-name", "notes.md");
        browser.wait_for(".stage .markdown h3", "Notes");
        assert_eq!(open.violations(), none, "a preview, {scheme}");
        browser.press("\u{e00c}");
        for (name, part) in [("main.rs", ".code-number"), ("list.toml", ".code-value")] {
            browser.click(".rows .entry-name", name);
            browser.wait_for(&format!(".stage {part}"), "");
            assert_eq!(open.violations(), none, "{name}, {scheme}");
            browser.press("\u{e00c}");
        }
        open.page("Storage");
        browser.click("#hours button", "Add hours");
        browser.wait_for("#hours .days", "Mon");
        assert_eq!(open.violations(), none, "hours, {scheme}");
        open.page("Devices");
        browser.click("button", "Pair a computer");
        browser.wait_for("dialog h2", "Pair a computer");
        assert_eq!(open.violations(), none, "pairing, {scheme}");
        browser.press("\u{e00c}");
    }
    browser.on_a_phone(true);
    open.page("Settings");
    browser.click("button", "Licences");
    browser.wait_for("dialog .facts th", "axum");
    assert_eq!(open.violations(), none, "a table whose rows stand by themselves");
    browser.press("\u{e00c}");
    browser.on_a_phone(false);
    // It would find something.
    browser.run("document.querySelector('main').append(document.createElement('button'))", &[]);
    assert!(open.violations().to_string().contains("button-name"));
}
