//! A mount, from its beginning to its end.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError, bounded};
use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use vfs::Drive;

use super::adapter::Adapter;
use super::fills::Fills;
use super::mountpoint::{self, SUBTYPE};
use super::notices::{self, Notices};
use super::quick_wake::QuickWake;
use super::unmount;
use super::watchers::{self, Shown};
use crate::mount::{MountError, MountOptions};

/// What the kernel reads ahead in a file that is read in order, in KiB. Its own 128 cost a third of the speed.
const READ_AHEAD_KIB: &str = "1024";
/// How long a program gets to leave a busy mount by itself.
const POLITE_WAIT: Duration = Duration::from_secs(2);
/// Between two attempts while it is busy.
const POLITE_PAUSE: Duration = Duration::from_millis(50);
/// How long the kernel may take to end the session after the path is gone.
const END_WAIT: Duration = Duration::from_secs(5);

/// A mounted drive. Dropping it unmounts.
#[derive(Debug)]
pub struct Mounted {
    mountpoint: PathBuf,
    /// `major:minor` of the mount's device number.
    device: String,
    /// Nothing is ever sent: it disconnects when the session ends.
    end: Receiver<Infallible>,
}

/// Mounts the drive and answers the kernel until [`Mounted::unmount`], or until somebody else unmounts it.
///
/// # Errors
/// [`MountError`] says what is wrong with the folder or the system, and what to do.
pub fn mount(drive: Arc<Drive>, options: &MountOptions) -> Result<Mounted, MountError> {
    let mountpoint = mountpoint::prepare(options)?;
    let (own_notices, told) = Notices::channel();
    let fills = Arc::<Fills>::default();
    let quick_wake = QuickWake::new(options.quick_wake);
    let shown = Arc::<Shown>::default();
    let adapter = Adapter {
        drive: Arc::clone(&drive),
        notices: own_notices,
        quick_wake,
        fills: Arc::clone(&fills),
        shown: Arc::clone(&shown),
    };
    let failed = |error: &io::Error| explain(&mountpoint, error);
    let session = Session::new(adapter, &mountpoint, &config(options)).map_err(|error| failed(&error))?;
    let device = mountpoint::mounted_on(&mountpoint).map(|entry| entry.device).unwrap_or_default();
    let notifier = session.notifier();
    let session = session.spawn().map_err(|error| failed(&error))?;
    // From here on a failure drops the session, which unmounts.
    let watchers = watchers::start(&drive, notifier.clone(), shown, &mountpoint, &device)
        .map_err(|error| failed(&error))?;
    notices::start(drive, told, notifier, fills, watchers).map_err(|error| failed(&error))?;
    let end = watch(session, mountpoint.clone()).map_err(|error| failed(&error))?;
    raise_read_ahead(&device);
    Ok(Mounted { mountpoint, device, end })
}

impl Mounted {
    /// The folder, absolute.
    #[must_use]
    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }

    /// Whether the mount still answers.
    #[must_use]
    pub fn is_mounted(&self) -> bool {
        self.end.try_recv() == Err(TryRecvError::Empty)
    }

    /// Waits until the mount ends, whoever ends it.
    pub fn wait(&self) {
        // It can only disconnect.
        let _ = self.end.recv();
    }

    /// Takes the drive away. Who works inside gets two seconds to leave; then he is named in the log and the mount is
    /// taken without him: what he wrote is kept, what he still does fails.
    ///
    /// # Errors
    /// What the system says; the mount is then still there.
    pub fn unmount(&self) -> io::Result<()> {
        if !self.is_mounted() || !self.is_in_table() {
            return Ok(());
        }
        match self.unmount_politely() {
            Ok(()) => self.wait_for_end(),
            // Somebody else was faster.
            Err(_) if !self.is_mounted() || !self.is_in_table() => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => self.unmount_anyway(),
            Err(error) => Err(error),
        }
    }

    fn unmount_politely(&self) -> io::Result<()> {
        let deadline = Instant::now() + POLITE_WAIT;
        loop {
            match unmount::politely(&self.mountpoint) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                    std::thread::sleep(POLITE_PAUSE);
                }
                done => return done,
            }
        }
    }

    fn unmount_anyway(&self) -> io::Result<()> {
        for holder in unmount::holders(&self.mountpoint) {
            tracing::warn!(
                pid = holder.pid,
                program = holder.program,
                "unmounting although a program works inside"
            );
        }
        if let Err(error) = unmount::flush(&self.mountpoint) {
            tracing::warn!(%error, "what programs wrote through memory maps may not all be saved");
        }
        match unmount::force(&self.mountpoint, &self.device)? {
            true => self.wait_for_end(),
            false => Ok(()),
        }
    }

    fn wait_for_end(&self) -> io::Result<()> {
        match self.end.recv_timeout(END_WAIT) {
            Err(RecvTimeoutError::Timeout) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the kernel still holds the mount: end the programs in it",
            )),
            _ => Ok(()),
        }
    }

    fn is_in_table(&self) -> bool {
        mountpoint::mounted_on(&self.mountpoint).is_some_and(|entry| entry.device == self.device)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            tracing::warn!(%error, "the drive could not be unmounted");
        }
    }
}

fn config(options: &MountOptions) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(SUBTYPE.into()),
        // fuser passes its own `Subtype` only to the helper; written out, root's mounts carry it too.
        MountOption::CUSTOM(format!("subtype={SUBTYPE}")),
        MountOption::DefaultPermissions,
        MountOption::NoSuid,
        MountOption::NoDev,
        if options.read_only { MountOption::RO } else { MountOption::RW },
    ];
    config.acl = if options.allow_other { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(options.threads.max(1));
    // Each thread with its own door.
    config.clone_fd = true;
    config
}

/// Watches for the end of the session; the receiver then disconnects.
fn watch(mut session: BackgroundSession, mountpoint: PathBuf) -> io::Result<Receiver<Infallible>> {
    let threads = std::mem::replace(&mut session.guard, std::thread::Builder::new().spawn(|| Ok(()))?);
    let (alive, end) = bounded(0);
    let watch = move || {
        match threads.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the mount ended with an error"),
            Err(_) => tracing::error!("a thread of the mount panicked"),
        }
        remove_if_dead(&mountpoint);
        drop(alive);
    };
    std::thread::Builder::new().name("fuse-watch".into()).spawn(watch)?;
    // Dropped, it would unmount the path a second time after the end, whoever is mounted there by then. What is leaked
    // is one descriptor of a connection that has ended.
    std::mem::forget(session);
    Ok(end)
}

/// A connection that was aborted leaves its path behind, answering nothing.
fn remove_if_dead(mountpoint: &Path) {
    let left = mountpoint::mounted_on(mountpoint).is_some_and(|entry| mountpoint::is_ours(&entry));
    let dead = left && mountpoint::alive(mountpoint).is_err_and(|error| mountpoint::is_dead(&error));
    if dead && let Err(error) = unmount::detach(mountpoint) {
        tracing::warn!(%error, "a dead mount is left behind");
    }
}

fn raise_read_ahead(device: &str) {
    // Only root may; without it the drive reads ahead by itself.
    if let Err(error) = fs::write(format!("/sys/class/bdi/{device}/read_ahead_kb"), READ_AHEAD_KIB) {
        tracing::debug!(%error, "the kernel's read-ahead stays as it is");
    }
}

fn explain(mountpoint: &Path, error: &io::Error) -> MountError {
    let path = mountpoint.to_path_buf();
    let why = error.to_string().trim().to_string();
    let refused =
        ["Permission denied", "not permitted", "EPERM", "EACCES"].iter().any(|sign| why.contains(sign));
    match error.kind() {
        _ if why.contains("user_allow_other") => MountError::AllowOther,
        io::ErrorKind::NotFound => MountError::NoHelper,
        io::ErrorKind::PermissionDenied => MountError::NotPermitted { path, why },
        _ if refused => MountError::NotPermitted { path, why },
        _ => MountError::Failed { path, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_explained() {
        let path = Path::new("/mnt/drive");
        let other = |text: &str| explain(path, &io::Error::other(text.to_string()));
        assert!(matches!(
            other("option allow_other only allowed if 'user_allow_other' is set"),
            MountError::AllowOther
        ));
        assert!(matches!(
            other("fusermount3: mount failed: Operation not permitted"),
            MountError::NotPermitted { .. }
        ));
        assert!(matches!(other("No space"), MountError::Failed { .. }));
        assert!(matches!(explain(path, &io::ErrorKind::NotFound.into()), MountError::NoHelper));
    }

    #[test]
    fn only_this_user_unless_told_otherwise() {
        let mut options = MountOptions::new("/mnt/drive");
        assert_eq!(config(&options).acl, SessionACL::Owner);
        options.allow_other = true;
        options.read_only = true;
        let config = config(&options);
        assert_eq!(config.acl, SessionACL::All);
        assert!(config.mount_options.contains(&MountOption::RO));
    }
}
