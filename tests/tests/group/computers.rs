//! Computers that share a drive.

use std::path::Path;

use serde_json::Value;
use tests::{Daemon, Network, Place, Start, eventually};

/// Room that each computer gives: the disk under the tests is shared.
const GIVEN: &str = "8G";

/// Computers of one user on one network. The first made the drive, the others joined by code.
pub struct Computers {
    pub network: Network,
    pub daemons: Vec<Daemon>,
}

impl Computers {
    /// So many, paired; `settings` are arguments of `up` for all.
    pub fn paired(number: usize, settings: &[&str]) -> Self {
        let mut computers = Self::apart(number, settings);
        for joiner in 1..number {
            computers.pair(0, joiner, &[]);
        }
        computers
    }

    /// So many, each with a drive of its own.
    pub fn apart(number: usize, settings: &[&str]) -> Self {
        Self::apart_with(number, settings, |_, start| start)
    }

    /// The same; `change` has the last word on how each is started.
    pub fn apart_with(number: usize, settings: &[&str], change: impl Fn(usize, Start) -> Start) -> Self {
        let network = Network::new(number);
        let places: Vec<Place> = (0..number).map(|at| network.place(at)).collect();
        Self::at_with(network, &places, settings, change)
    }

    /// One at each of these places, each with a drive of its own.
    pub fn at(network: Network, places: &[Place], settings: &[&str]) -> Self {
        Self::at_with(network, places, settings, |_, start| start)
    }

    fn at_with(
        network: Network,
        places: &[Place],
        settings: &[&str],
        change: impl Fn(usize, Start) -> Start,
    ) -> Self {
        let start = |(at, place): (usize, &Place)| {
            let start = Start::default().at(place).arg("--name").arg(format!("computer{at}"));
            let start = start.arg("--contribute").arg(GIVEN).env("PEERDRIVE_TEST", "1");
            change(at, settings.iter().fold(start, Start::arg)).start()
        };
        let daemons = places.iter().enumerate().map(start).collect();
        Self { network, daemons }
    }

    /// One invites, the other joins by the code alone.
    pub fn pair(&mut self, inviter: usize, joiner: usize, invitation: &[&str]) -> Value {
        let invited = self.daemons[inviter].json(&[&["invite"], invitation].concat());
        let code = invited["code"].as_str().expect("a code").to_owned();
        self.daemons[joiner].json(&["join", &code])
    }

    /// The drive on one of them.
    pub fn mount(&self, at: usize) -> std::path::PathBuf {
        self.daemons[at].mount()
    }

    /// Until a file of this content is seen there.
    pub fn sees(&self, at: usize, name: &str, content: &[u8]) {
        let file = self.mount(at).join(name);
        eventually(&format!("{} on computer {at}", file.display()), || {
            std::fs::read(&file).is_ok_and(|read| read == content)
        });
    }

    /// Until nothing of this name is seen there.
    pub fn misses(&self, at: usize, name: &str) {
        let file = self.mount(at).join(name);
        eventually(&format!("no {} on computer {at}", file.display()), || !exists(&file));
    }

    /// Until all that are up have the same logs, and then what `wait --synced` says on each.
    pub fn sync(&self, who: &[usize]) {
        for at in who {
            let output = self.daemons[*at].command(["wait", "--synced"]);
            assert!(output.status.success(), "computer {at}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// `wait --safe` on one of them.
    pub fn safe(&self, at: usize) {
        let output = self.daemons[at].command(["wait", "--safe"]);
        assert!(output.status.success(), "computer {at}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
