//! `up`: the order of starting, and the order of ending, which is the other way round.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chunkstore::ChunkStore;
use ledger::identity::WorkspaceId;
use ledger::keys::DeviceKey;
use platform::lock::FolderLock;
use platform::stop_signal::StopSignals;
use platform::{MountOptions, Mounted};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use ui::answers::Scope;
use ui::api::{Access, ApiServer, Host};
use ui::cli::{Failure, Output, UpArguments};
use ui::units::ByteSize;
use vfs::Drive;
use zeroize::Zeroizing;

use crate::data_folder::DataFolder;
use crate::drive::Room;
use crate::group::{Group, Keys};
use crate::host::{Given, Running};
use crate::identity::{IdentityError, Opener, Workspace};
use crate::scrubbing::{Scrubber, Scrubbing};
use crate::settings::{Settings, Value, first_contribution};
use crate::stopping::{Reason, Stop, Stopped};
use crate::web::Web;
use crate::{drive, group, identity, idle, joining, leaving, logging, offline, only_here, stopping, web};

/// How long the drive may take to answer through its mount.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// How long requests in work may hold up the end.
const RUNTIME_WAIT: Duration = Duration::from_secs(3);
/// Stack of the API's threads.
const STACK_BYTES: usize = 512 << 10;
/// Threads for API requests that touch the drive, and for those that wait for the group; they go when idle.
const BLOCKING_THREADS: usize = 24;
/// Idle threads of the API end after this time.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// One line: what did not start, or did not end well.
pub fn up(folder: &DataFolder, arguments: &UpArguments, output: &mut Output) -> Result<(), Failure> {
    let runtime = runtime().map_err(failed)?;
    let (stop, stopped) = stopping::channel();
    let signals = runtime.block_on(async { StopSignals::catch() }).map_err(failed)?;
    runtime.spawn(stopping::listen(signals, stop.clone()));
    let ended = run_until_ended(folder, arguments, &runtime, (&stop, &stopped), output);
    runtime.shutdown_timeout(RUNTIME_WAIT);
    ended
}

/// Opens and runs; again when this computer joined another drive meanwhile.
fn run_until_ended(
    folder: &DataFolder,
    arguments: &UpArguments,
    runtime: &Runtime,
    (stop, stopped): (&Stop, &Stopped),
    output: &mut Output,
) -> Result<(), Failure> {
    let mut shows_start = true;
    let mut web = Web::new();
    loop {
        let Some(begun) = Begun::begin(folder, arguments, stopped, stop.clone(), shows_start)? else {
            return Ok(());
        };
        match begun.run(runtime, stopped, &mut web, output)? {
            Reason::Joined => {}
            Reason::Left => return put_aside(folder, output),
            _ => return Ok(()),
        }
        shows_start = false;
    }
}

/// The drive is not this computer's any more.
fn put_aside(folder: &DataFolder, output: &mut Output) -> Result<(), Failure> {
    let _lock = folder.lock().map_err(failed)?;
    if let Some(aside) = leaving::complete(folder).map_err(failed)? {
        output.hint(format!("This computer has left the drive. What it held lies in {}.", aside.display()));
    }
    Ok(())
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(THREAD_KEEP_ALIVE)
        .thread_stack_size(STACK_BYTES)
        .thread_name("api")
        .enable_all()
        .build()
}

fn failed(error: impl Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// What this computer keeps is open; nobody can reach it yet.
struct Begun {
    folder: DataFolder,
    settings: Settings,
    mountpoint: Option<PathBuf>,
    given: Given,
    device: DeviceKey,
    workspace: WorkspaceId,
    workspace_folder: PathBuf,
    keys: Keys,
    /// The start is shown to whoever started it.
    shows_start: bool,
    /// The user's keys were made by this start.
    is_new: bool,
    stop: Stop,
    /// Dropped last: the folder is free when everything else is done.
    lock: FolderLock,
}

impl Begun {
    /// Settings, folder, lock, keys, drive. None if the end was asked for meanwhile.
    fn begin(
        folder: &DataFolder,
        arguments: &UpArguments,
        stopped: &Stopped,
        stop: Stop,
        shows_start: bool,
    ) -> Result<Option<Self>, Failure> {
        let (settings, mut kept) = Settings::load(&folder.config()).map_err(failed)?.with(arguments);
        logging::start(settings.log);
        let mountpoint = if arguments.no_mount { None } else { Some(mountpoint(folder, &settings)?) };
        let passphrase = arguments.passphrase_file.as_deref().map(ui::cli::secret::first_line).transpose()?;
        folder.prepare().map_err(failed)?;
        let lock = folder.lock().map_err(failed)?;
        leaving::complete(folder).map_err(failed)?;
        joining::complete(folder).map_err(failed)?;
        let device = identity::device_key(folder).map_err(failed)?;
        let is_new = !folder.user_key().exists();
        let opener = AtStart { given: passphrase, stopped };
        let user = match identity::user_keys(folder, &opener) {
            Err(IdentityError::Stopped) => return Ok(None),
            keys => keys.map_err(failed)?,
        };
        let workspace = identity::workspace(folder, &user).map_err(failed)?;
        let room = drive::room(folder).map_err(failed)?;
        let given = given(&settings, room, &mut kept);
        Settings::store(&folder.config(), &kept).map_err(failed)?;
        let folder = folder.clone();
        let (keys, workspace, workspace_folder, mountpoint) = match workspace {
            Workspace::Drive(open) => {
                let id = open.keyring.workspace;
                let drive =
                    drive::open(&folder, &settings, given.contribute, room, device.clone(), &user, &open);
                (Keys::Drive { drive: drive.map_err(failed)?, user }, id, open.folder, mountpoint)
            }
            Workspace::Host { folder: place, id } => {
                let host = drive::open_host(&folder, (&place, id), &settings, given.contribute, room)
                    .map_err(failed)?;
                (Keys::Host { host: Arc::new(host), user }, id, place, None)
            }
        };
        let begun = Self {
            folder,
            settings,
            mountpoint,
            given,
            device,
            workspace,
            workspace_folder,
            keys,
            shows_start,
            is_new,
            stop,
            lock,
        };
        // Stretching a passphrase and recovering after a crash leave much behind.
        platform::memory::release_unused();
        Ok(Some(begun))
    }

    /// API, mount, `ready`; then waits, and ends in the other order.
    fn run(
        self,
        runtime: &Runtime,
        stopped: &Stopped,
        web: &mut Web,
        output: &mut Output,
    ) -> Result<Reason, Failure> {
        let mut shown = Shown::default();
        let worked = match stopped.asked() {
            None => self.work(runtime, stopped, (&mut shown, web), output),
            Some(reason) => Ok(reason),
        };
        let ended = self.end(runtime, shown);
        let reason = worked?;
        ended.map(|()| reason)
    }

    fn work(
        &self,
        runtime: &Runtime,
        stopped: &Stopped,
        (shown, web): (&mut Shown, &mut Web),
        output: &mut Output,
    ) -> Result<Reason, Failure> {
        let access =
            web.access(&self.folder, self.settings.panel, self.workspace.to_text()).map_err(failed)?;
        let server = runtime.block_on(web::listen(self.settings.panel, web.address)).map_err(failed)?;
        web.address = Some(server.address());
        if let (Some(mountpoint), Some(drive)) = (&self.mountpoint, self.drive()) {
            shown.mounted = Some(mount(&drive, mountpoint, &self.settings)?);
        }
        let mountpoint = shown.mounted.as_ref().map(|mounted| mounted.mountpoint().to_path_buf());
        if let Some(drive) = self.drive() {
            check_that_it_answers(&drive, mountpoint.clone())?;
        }
        let group = Group::start(self.group()).map_err(failed)?;
        shown.group = Some(Arc::clone(&group));
        web::announce(&self.folder, &server).map_err(failed)?;
        if self.shows_start {
            self.print(mountpoint.as_deref(), &server, &access, &group, output)?;
        }
        let every = self.settings.scrub.duration();
        let others = Arc::clone(&group);
        let tell_others = Box::new(move |every_s, last| others.tell_scrubbed(every_s, last));
        let (scrubbing, scrubber) =
            Scrubbing::start(self.store(), &self.workspace_folder, every, tell_others).map_err(failed)?;
        shown.scrubber = Some(scrubber);
        let host = self.host(mountpoint, Arc::clone(&group), scrubbing);
        let (end, told) = watch::channel(false);
        shown.api = Some(end);
        shown.serving = Some(runtime.spawn(server.serve(access, host, told)));
        let (awake, asleep) = channel();
        shown.idle = Some(awake);
        idle::start(self.store(), asleep).map_err(failed)?;
        if let Some(drive) = self.drive() {
            let (awake, asleep) = channel();
            shown.only_here = Some(awake);
            only_here::start(drive, self.settings.only_here.duration(), asleep).map_err(failed)?;
        }
        if let Some(mounted) = &shown.mounted {
            watch_mount(Arc::clone(mounted), self.stop.clone(), Arc::clone(&shown.ends)).map_err(failed)?;
        }
        if self.shows_start {
            output.line("ready")?;
            output.flush()?;
        }
        if let Some(objection) = group.objection() {
            output.hint(objection);
        }
        if self.is_new {
            output.hint("This drive is new. `peerdrive keys recovery` shows 24 words: on paper, they bring back lost keys.");
        }
        let reason = stopped.wait();
        if reason == Reason::Unmounted {
            output.hint("The drive was unmounted by somebody else: the daemon ends.");
        }
        Ok(reason)
    }

    fn drive(&self) -> Option<Arc<Drive>> {
        match &self.keys {
            Keys::Drive { drive, .. } => Some(Arc::clone(drive)),
            Keys::Host { .. } => None,
        }
    }

    fn store(&self) -> Arc<ChunkStore> {
        match &self.keys {
            Keys::Drive { drive, .. } => drive.store(),
            Keys::Host { host, .. } => host.store(),
        }
    }

    fn group(&self) -> group::Start {
        group::Start {
            folder: self.folder.clone(),
            workspace_folder: self.workspace_folder.clone(),
            workspace: self.workspace,
            device: self.device.clone(),
            keys: self.keys.clone(),
            name: self.settings.computer_name(),
            listen: self.settings.listen,
            discovery: self.settings.discovery,
            port_mapping: self.settings.port_mapping,
            metered: self.settings.metered,
            relay_bytes_per_s: self.settings.relay.0,
            contribute_bytes: if self.settings.replicas { self.given.contribute.0 } else { 0 },
            rates: self.settings.traffic.rates(self.given.up, self.given.down),
            target: self.settings.target,
            site: self.settings.site.clone(),
            stop: self.stop.clone(),
        }
    }

    fn host(
        &self,
        mountpoint: Option<PathBuf>,
        group: Arc<Group>,
        scrubbing: Arc<Scrubbing>,
    ) -> Arc<dyn Host> {
        Arc::new(Running {
            folder: self.folder.clone(),
            drive: self.drive(),
            store: self.store(),
            group,
            scrubbing,
            device: self.device.id().to_text(),
            workspace: self.workspace.to_text(),
            mountpoint,
            given: Mutex::new(self.given),
            traffic: Mutex::new(self.settings.traffic.clone()),
            keeps_replicas: self.settings.replicas,
            only_here_after: self.settings.only_here.duration(),
            stop: self.stop.clone(),
            panel_passphrase: self.settings.panel_passphrase,
            keys: Mutex::new(()),
        })
    }

    fn print(
        &self,
        mountpoint: Option<&Path>,
        server: &ApiServer,
        access: &Access,
        group: &Group,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let not_mounted = || match self.keys {
            Keys::Drive { .. } => "not mounted".into(),
            Keys::Host { .. } => "sealed: this computer is a host".into(),
        };
        let mounted = mountpoint.map_or_else(not_mounted, |path| path.display().to_string());
        output.line(format!("drive   {mounted}"))?;
        output.line(format!("data    {}", self.folder.root().display()))?;
        output.line(format!("API     http://{}/", server.address()))?;
        if let Some(sessions) = &access.sessions {
            let url = sessions.new_url(server.address(), Scope::Admin);
            output.line(format!("panel   {}", url.as_str()))?;
        }
        output.line(format!("peers   {}", group.address()))?;
        output.line(format!("device  {}", self.device.id()))
    }

    fn end(self, runtime: &Runtime, shown: Shown) -> Result<(), Failure> {
        web::withdraw(&self.folder);
        if let Some(api) = shown.api {
            // Nobody listens any more if the server has ended.
            let _ = api.send(true);
        }
        drop((shown.idle, shown.only_here, shown.scrubber));
        shown.ends.store(true, Ordering::Relaxed);
        let unmounted = shown.mounted.as_ref().map_or(Ok(()), |mounted| mounted.unmount());
        if let Some(serving) = shown.serving {
            // It ends by itself within seconds; a panic in it was logged.
            let _ = runtime.block_on(serving);
        }
        if let Some(group) = shown.group {
            group.stop();
        }
        let closed = self.drive().map_or(Ok(()), |drive| drive.close());
        drop(self.keys);
        drop(self.lock);
        let cannot_unmount =
            |error| format!("the drive could not be unmounted ({error}): end the programs in it");
        unmounted.map_err(cannot_unmount).map_err(failed)?;
        let not_stored = |error| format!("the last changes could not be stored ({error}): check the disk");
        closed.map_err(not_stored).map_err(failed)
    }
}

/// What the world sees of the drive.
#[derive(Default)]
struct Shown {
    mounted: Option<Arc<Mounted>>,
    api: Option<watch::Sender<bool>>,
    serving: Option<tokio::task::JoinHandle<()>>,
    group: Option<Arc<Group>>,
    /// The daemon itself unmounts.
    ends: Arc<AtomicBool>,
    idle: Option<Sender<()>>,
    only_here: Option<Sender<()>>,
    scrubber: Option<Scrubber>,
}

/// The passphrase at a start: from the command, or from a person at a terminal.
struct AtStart<'a> {
    given: Option<Zeroizing<String>>,
    stopped: &'a Stopped,
}

impl Opener for AtStart<'_> {
    fn given(&self) -> Option<&str> {
        self.given.as_deref().map(String::as_str)
    }

    fn ask(&self, again: bool) -> Result<Zeroizing<String>, IdentityError> {
        let question = if again { "Wrong. Passphrase: " } else { "Passphrase: " };
        let asked = platform::terminal::ask_secret(question, &|| self.stopped.asked().is_some());
        asked.map_err(|error| match error.kind() {
            std::io::ErrorKind::Interrupted => IdentityError::Stopped,
            _ => IdentityError::PassphraseNeeded,
        })
    }
}

fn mountpoint(folder: &DataFolder, settings: &Settings) -> Result<PathBuf, Failure> {
    let none = || Failure::Usage("this user has no home folder: say where to mount the drive".into());
    let chosen = settings.mountpoint.clone().or_else(platform::paths::default_mountpoint).ok_or_else(none)?;
    let path = std::path::absolute(&chosen).map_err(|error| Failure::Usage(error.to_string()))?;
    if offline::entangled(&path, folder.root()) {
        let told = format!(
            "the mountpoint {} and the data folder {} lie in one another: choose folders apart",
            path.display(),
            folder.root().display()
        );
        return Err(Failure::Usage(told));
    }
    Ok(path)
}

/// What this computer gives; at the first start a share of the free disk, which is then kept.
fn given(settings: &Settings, room: Room, kept: &mut Vec<(&'static str, Value)>) -> Given {
    let contribute = settings.contribute.unwrap_or_else(|| {
        let first = first_contribution(room.free_bytes);
        kept.push(("contribute", Value::Text(first.to_string())));
        first
    });
    let reserve = ByteSize(settings.reserve_of(room.disk_bytes));
    Given { contribute, reserve, up: settings.up, down: settings.down }
}

fn mount(drive: &Arc<Drive>, mountpoint: &Path, settings: &Settings) -> Result<Arc<Mounted>, Failure> {
    let mut options = MountOptions::new(mountpoint);
    options.allow_other = settings.allow_other;
    options.quick_wake = settings.quick_wake;
    platform::mount(Arc::clone(drive), &options).map(Arc::new).map_err(failed)
}

/// `ready` is said when it is true: a real question through the mount, or to the drive where there is none.
fn check_that_it_answers(drive: &Arc<Drive>, mountpoint: Option<PathBuf>) -> Result<(), Failure> {
    let Some(mountpoint) = mountpoint else {
        return drive
            .attr(vfs::ROOT)
            .map(drop)
            .map_err(|error| failed(format!("the drive does not answer ({error})")));
    };
    let (answer, answered) = channel();
    let ask = move || {
        // The one who waits has given up: there is nobody to tell.
        let _ = answer.send(std::fs::read_dir(mountpoint).map(drop));
    };
    std::thread::Builder::new().name("check".into()).spawn(ask).map_err(failed)?;
    match answered.recv_timeout(ANSWER_WAIT) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(format!("the mounted drive does not answer ({error}): see the log"))),
        Err(_) => Err(failed("the mounted drive does not answer: see the log")),
    }
}

/// Whoever unmounts the drive ends the daemon: without its folder nobody would know that it runs.
fn watch_mount(mounted: Arc<Mounted>, stop: Stop, ends: Arc<AtomicBool>) -> std::io::Result<()> {
    let watch = move || {
        mounted.wait();
        if !ends.load(Ordering::Relaxed) {
            stop.ask(Reason::Unmounted);
        }
    };
    std::thread::Builder::new().name("mount-watch".into()).stack_size(64 << 10).spawn(watch)?;
    Ok(())
}
