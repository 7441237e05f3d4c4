//! The panel in a real browser, over a real daemon and its mount.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod access;
mod browser;
mod files;
mod hands;
mod newcomer;
mod pages;
mod safety;

use std::net::TcpListener;

use browser::Browser;
use tests::{Daemon, Start};

const PAGES: [&str; 6] = ["Drive", "Devices", "Storage", "Health", "Activity", "Settings"];

/// A daemon and a browser that is signed in at it.
struct Open {
    daemon: Daemon,
    browser: Browser,
    /// Where other computers reach it, on this one.
    peers: String,
}

impl Open {
    fn start() -> Self {
        Self::with(Start::default())
    }

    fn with(start: Start) -> Self {
        let mut daemon = Daemon::prepare(start);
        let printed = daemon.start_again();
        let told = |what| printed.iter().find_map(|line| line.strip_prefix(what)).unwrap().to_string();
        let (link, listens) = (told("panel   "), told("peers   "));
        let peers = format!("127.0.0.1:{}", listens.rsplit(':').next().unwrap());
        let browser = Browser::start();
        browser.go(&link);
        browser.wait_for("nav .links", "Devices");
        Self { daemon, browser, peers }
    }

    /// Goes to a page by its link.
    fn page(&self, name: &str) {
        self.browser.click("nav .links a", name);
        self.browser.wait_for("main h1", name);
    }

    /// A new link, as a person asks for one.
    fn link(&self) -> String {
        self.daemon.json(&["panel"])["url"].as_str().unwrap().to_string()
    }
}

/// A port that nobody listens on at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
