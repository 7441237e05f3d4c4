//! Warns in the log, and on the desktop where there is one, when a file has been on this computer alone for too long. `status` and the panel's events say so too.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use vfs::{Drive, Status};

/// Between two looks at most, and at least where the time that is allowed is shorter.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const LOOK_EVERY_MIN: Duration = Duration::from_secs(1);

/// Starts the thread; it ends when the other end of `until` is dropped.
///
/// # Errors
/// What the system says.
pub fn start(drive: Arc<Drive>, after: Duration, until: Receiver<()>) -> io::Result<()> {
    let watch = move || {
        let mut warned = false;
        let pause = after.clamp(LOOK_EVERY_MIN, LOOK_EVERY);
        while until.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            if let Ok(status) = drive.status() {
                look(&status, after, &mut warned);
            }
        }
    };
    std::thread::Builder::new().name("only-here".into()).stack_size(256 << 10).spawn(watch)?;
    Ok(())
}

/// Once for each time that it becomes so.
fn look(status: &Status, after: Duration, warned: &mut bool) {
    let too_long = ui::moment::is_over(status.only_here_since, after);
    if too_long && !*warned {
        let since = status.only_here_since.map(ui::moment::to_text);
        tracing::warn!(
            files = status.only_here_files,
            since,
            "files are on this computer alone for too long: start another computer of the drive, or see `peerdrive status`"
        );
        show(status.only_here_files);
    }
    *warned = too_long;
}

fn show(files: u64) {
    let text = if files == 1 { "1 file is".into() } else { format!("{files} files are") };
    let text = format!("{text} on this computer alone. Start another computer of the drive.");
    if let Err(error) = platform::notification::show("PeerDrive: keep another copy", &text) {
        tracing::debug!(%error, "the desktop did not show the warning");
    }
}
