//! Waiting for the drive's own work.

use crate::{Daemon, eventually};

impl Daemon {
    /// Waits until nothing is pending: all that was closed is settled and durable.
    ///
    /// # Panics
    /// When something is still pending at the deadline.
    pub fn wait_until_settled(&self) {
        eventually("nothing is pending", || self.json(&["status"])["workspaces"][0]["pending_files"] == 0);
    }
}
