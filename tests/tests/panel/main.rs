//! The panel in a real browser, over a real daemon and its mount.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod access;
mod browser;
mod computers;
mod files;
mod hands;
mod newcomer;
mod pages;
mod previews;
mod safety;
mod storage;

use std::net::TcpListener;

use browser::Browser;
use serde_json::Value;
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

    /// Moves the slider of what this computer gives.
    fn slide(&self, step: u32) {
        let script = format!(
            "const slider = document.getElementById('give'); slider.value = {step}; slider.dispatchEvent(new Event('input'));"
        );
        self.browser.run(&script, &[]);
    }

    /// What the API answers.
    fn api(&self, route: &str) -> Value {
        let told = |file| std::fs::read_to_string(self.daemon.data().join(file)).unwrap().trim().to_string();
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        let url = format!("http://{}/api/v1{route}", told("api.addr"));
        let token = format!("Bearer {}", told("api.token"));
        agent.get(url).header("authorization", token).call().unwrap().body_mut().read_json().unwrap()
    }

    /// Joins the drive of another one; both pages are open.
    fn join(&self, first: &Self) {
        let code = first.daemon.json(&["invite"])["code"].clone();
        let joined = self.daemon.command(["join", code.as_str().unwrap(), "--peer", &first.peers]);
        assert!(joined.status.success(), "{}", tests::told(&joined));
    }

    /// Starts the daemon again and opens its page anew.
    fn start_again(&mut self) {
        self.daemon.start_again();
        self.browser.go(&self.link());
        self.browser.wait_for("nav .links", "Devices");
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
