//! A note on the user's desktop.
//!
//! It is shown by `notify-send`, which desktops on Linux bring along, and only where there is a session bus: a daemon that was started
//! without one (at boot, over SSH) has nobody to show it to.

use std::ffi::OsStr;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A desktop that does not answer is not waited for longer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Between two looks at whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Shows a note, in plain text. False: there is no desktop to show it on. Waits 5 s at most.
///
/// # Errors
/// There is a session bus, and `notify-send` is missing, failed, or did not end in time.
pub fn show(title: &str, text: &str) -> io::Result<bool> {
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none_or(|address| address.is_empty()) {
        return Ok(false);
    }
    shown_by(OsStr::new("notify-send"), title, text).map(|()| true)
}

fn shown_by(program: &OsStr, title: &str, text: &str) -> io::Result<()> {
    let mut command = Command::new(program);
    command.args(["--app-name=PeerDrive", "--urgency=normal", "--", title, text]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut shower = command.spawn()?;
    let deadline = Instant::now() + ANSWER_MAX;
    loop {
        match shower.try_wait()? {
            Some(ended) if ended.success() => return Ok(()),
            Some(ended) => return Err(io::Error::other(format!("notify-send ended with {ended}"))),
            None if Instant::now() >= deadline => return Err(give_up(&mut shower)),
            None => std::thread::sleep(LOOK_EVERY),
        }
    }
}

fn give_up(shower: &mut Child) -> io::Error {
    // It may have ended this moment; in any case nothing is left of it.
    let _ = shower.kill();
    let _ = shower.wait();
    io::Error::new(io::ErrorKind::TimedOut, "notify-send did not end in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_or_is_missing_is_told() {
        assert!(shown_by(OsStr::new("true"), "title", "text").is_ok());
        let failed = shown_by(OsStr::new("false"), "title", "text").unwrap_err();
        assert!(failed.to_string().contains("ended with"), "{failed}");
        let missing = shown_by(OsStr::new("/nowhere/notify-send"), "title", "text").unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
