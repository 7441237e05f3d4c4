//! What others get of this computer's line: a port of the router, and packets passed on. Neither where the line is metered.

use std::process::Command;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use transport::{Endpoint, PortMapping};

use super::Tell;
use super::driver::Told;
use crate::settings::Metered;

/// How often the system is asked whether the line is metered: one moves between networks more rarely than in minutes.
const LOOK: Duration = Duration::from_secs(300);

/// What this computer would do for others on a line that is not metered.
pub struct Outside {
    pub endpoint: Endpoint,
    pub tell: Tell,
    pub metered: Metered,
    /// The router is asked to let others in.
    pub port_mapping: bool,
    /// Passed on for others at most; 0: nothing.
    pub relay_bytes_per_s: u64,
}

impl Outside {
    /// Runs until it is told to stop; then the router is told to close the port, which takes 3 s at most.
    pub async fn run(self, mut stopped: oneshot::Receiver<()>) {
        let mut mapping = None;
        loop {
            let open = !is_metered(self.metered).await;
            self.set_relay(open);
            self.set_mapping(open, &mut mapping).await;
            tokio::select! {
                _ = timeout(LOOK, tell_changes(mapping.as_mut(), &self.tell)) => {}
                _ = &mut stopped => break,
            }
        }
        self.set_mapping(false, &mut mapping).await;
    }

    fn set_relay(&self, open: bool) {
        let bytes_per_s = if open { self.relay_bytes_per_s } else { 0 };
        self.endpoint.set_relay(bytes_per_s);
        self.tell.tell(Told::Relays(bytes_per_s > 0));
    }

    async fn set_mapping(&self, open: bool, mapping: &mut Option<PortMapping>) {
        if open && self.port_mapping {
            mapping.get_or_insert_with(|| PortMapping::start(self.endpoint.address().port()));
        } else if let Some(mapping) = mapping.take() {
            mapping.stop().await;
            self.tell.tell(Told::External(None));
        }
    }
}

/// Tells where the router's port leads in from, whenever that changes. Never ends.
async fn tell_changes(mapping: Option<&mut PortMapping>, tell: &Tell) {
    let Some(mapping) = mapping else { return std::future::pending().await };
    loop {
        tell.tell(Told::External(mapping.external()));
        mapping.changed().await;
    }
}

async fn is_metered(setting: Metered) -> bool {
    match setting {
        Metered::Yes => true,
        Metered::No => false,
        // A thread that panicked has told nothing.
        Metered::Auto => tokio::task::spawn_blocking(system_says_metered).await.unwrap_or(false),
    }
}

/// What NetworkManager says of the line in use, where it is there; else nobody says so.
fn system_says_metered() -> bool {
    let asked = Command::new("nmcli").args(["--wait", "2", "--get-values", "METERED", "general"]).output();
    asked.is_ok_and(|told| told.status.success() && says_metered(&told.stdout))
}

/// `yes`, `no`, each also with `(guessed)` behind, or `unknown`.
fn says_metered(told: &[u8]) -> bool {
    told.trim_ascii_start().starts_with(b"yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_network_manager_says() {
        for (told, metered) in [
            ("yes\n", true),
            ("yes (guessed)\n", true),
            ("no\n", false),
            ("no (guessed)", false),
            ("unknown", false),
        ] {
            assert_eq!(says_metered(told.as_bytes()), metered, "{told}");
        }
    }
}
