//! The group of computers, as this daemon takes part in it.
//!
//! ```text
//!  Group ─▶ driver     one task: owns the swarm's state machine, does what it says
//!    │        ├─ links, calling, dialer, doors      who is connected, who is called, who is let in
//!    │        ├─ jobs                               the disk work, on threads
//!    │        ├─ logs                               of a drive, or sealed on a host
//!    │        └─ garbage_log                        on whose word a host gave chunks up
//!    ├──── inviting, entering, messages             pairing: both sides, and what they say
//!    ├──── sightings, addresses, peers_file         where others are
//!    ├──── silence                                  for how long they were not heard
//!    ├──── outside                                  the router's port, relaying for others
//!    ├──── leaving                                  this computer's way out
//!    └──── answers, policy, loss, shared            what people and the drive ask
//! ```

mod addresses;
mod answers;
mod calling;
mod copies;
mod dialer;
mod doors;
mod driver;
mod entering;
mod garbage_log;
mod inviting;
mod jobs;
mod leaving;
mod links;
pub mod logs;
mod loss;
mod messages;
mod of_drive;
mod of_host;
mod outside;
mod peers_file;
mod policy;
mod shared;
mod sightings;
mod silence;

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use chunkstore::ChunkId;
use ledger::identity::WorkspaceId;
use ledger::keys::{DeviceKey, UserKeys};
use ledger::roster::Roster;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use transport::{
    Allowed, Announced, Arrival, Arrivals, Discovery, Endpoint, EndpointConfig, FoundStream, Identity, Rates,
};
use ui::answers::{Invitation, InviteRequest, JoinRequest, Joined};
use ui::api::Refusal;
use vfs::Drive;

use self::doors::Doors;
use self::driver::{Driver, Parts, Told};
use self::entering::{Joiner, With};
use self::inviting::Inviter;
use self::jobs::Workers;
use self::leaving::Leaver;
pub use self::logs::Kept;
pub use self::of_host::SealedHost;
use self::outside::Outside;
use self::peers_file::PeersFile;
use self::shared::Shared;
use self::sightings::Sightings;
use crate::data_folder::DataFolder;
use crate::entropy;
use crate::scrubbing::LastPass;
use crate::settings::Metered;
use crate::stopping::{Reason, Stop};

/// Port for other computers when nobody says otherwise: the one behind the panel's.
pub const PEER_PORT: u16 = 7338;
/// Threads of the network.
const NET_THREADS: usize = 2;
/// Stack of each.
const STACK_BYTES: usize = 512 << 10;
/// How long the end of the network may take.
const END_WAIT: Duration = Duration::from_secs(3);

/// What this computer keeps of the workspace, and which keys it has for it.
#[derive(Clone)]
pub enum Keys {
    /// A drive that is open here.
    Drive { drive: Arc<Drive>, user: UserKeys },
    /// Sealed data of others.
    Host { host: Arc<SealedHost>, user: UserKeys },
}

impl Keys {
    fn workspace_name(&self) -> Option<String> {
        match self {
            Self::Drive { drive, .. } => drive.roster(Roster::workspace_name),
            Self::Host { .. } => None,
        }
    }

    fn user(&self) -> &UserKeys {
        match self {
            Self::Drive { user, .. } | Self::Host { user, .. } => user,
        }
    }

    fn kept(&self, workspace: WorkspaceId, device: &DeviceKey, folder: &Path) -> Kept {
        match self {
            Self::Drive { drive, user } => {
                let parties = (user.clone(), device.clone(), workspace);
                let logs = of_drive::DriveLogs::new(Arc::clone(drive), parties, folder.into());
                Kept { workspace, logs: Arc::new(logs), store: drive.store() }
            }
            Self::Host { host, .. } => Kept { workspace, logs: host.clone(), store: host.store() },
        }
    }
}

/// What the group is started with.
pub struct Start {
    pub folder: DataFolder,
    /// The workspace's own folder.
    pub workspace_folder: PathBuf,
    pub workspace: WorkspaceId,
    pub device: DeviceKey,
    pub keys: Keys,
    pub name: String,
    pub listen: Option<SocketAddr>,
    pub discovery: bool,
    /// The router is asked to let others in.
    pub port_mapping: bool,
    /// Whether the line is: then there is no port mapping and no relaying.
    pub metered: Metered,
    /// Passed on for others at most; 0: nothing.
    pub relay_bytes_per_s: u64,
    pub contribute_bytes: u64,
    pub rates: Rates,
    /// Copies wanted in a drive that is new.
    pub target: Option<u8>,
    pub site: String,
    pub stop: Stop,
}

/// Why the group did not start.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The socket.
    #[error("{0}")]
    Bind(#[from] transport::BindError),
    /// The identity.
    #[error("the device's key cannot be used for the network: {0}")]
    Identity(#[from] transport::IdentityError),
    /// No thread.
    #[error("no thread could be started: {0}")]
    Threads(#[from] std::io::Error),
}

/// Tells the driver.
#[derive(Clone)]
pub struct Tell {
    driver: UnboundedSender<Told>,
    announce: Arc<tokio::sync::Notify>,
}

impl Tell {
    fn tell(&self, what: Told) {
        // The driver has ended: so does everything that told it.
        let _ = self.driver.send(what);
    }

    /// The open codes changed.
    fn announce(&self) {
        self.announce.notify_one();
    }
}

/// This computer's part in the group.
pub struct Group {
    runtime: Mutex<Option<Runtime>>,
    driving: Mutex<Option<tokio::task::JoinHandle<()>>>,
    handle: tokio::runtime::Handle,
    endpoint: Endpoint,
    tell: Tell,
    shared: Arc<Shared>,
    inviter: Arc<Inviter>,
    joiner: Arc<Joiner>,
    joining: tokio::sync::Mutex<()>,
    leaver: Arc<Leaver>,
    workspace_folder: PathBuf,
    keys: Keys,
    device: DeviceKey,
    name: String,
    objection: Option<String>,
    outside: Mutex<Option<(oneshot::Sender<()>, tokio::task::JoinHandle<()>)>>,
    /// The endpoint is told the time, since there are, or were, rates that go by it.
    knows_the_hour: AtomicBool,
    stop: Stop,
}

impl Group {
    /// Opens the socket and takes part.
    ///
    /// # Errors
    /// [`GroupError`].
    pub fn start(start: Start) -> Result<Arc<Self>, GroupError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(NET_THREADS)
            .max_blocking_threads(2)
            .thread_stack_size(STACK_BYTES)
            .thread_name("net")
            .on_thread_start(platform::processor::let_others_go_first)
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let _inside = handle.enter();
        let doors = Arc::new(Doors::default());
        let (endpoint, arrivals) = bind(&start, &doors)?;
        let (driver, told) = unbounded_channel();
        let tell = Tell { driver, announce: Arc::default() };
        let shared = Arc::new(Shared::default());
        let sightings = Sightings::default();
        let objection = match &start.keys {
            Keys::Drive { drive, user } => policy::found(drive, user, start.target),
            Keys::Host { .. } => None,
        };
        let kept = start.keys.kept(start.workspace, &start.device, &start.workspace_folder);
        let results = tell.clone();
        let done: Arc<jobs::Done> = Arc::new(move |done| results.tell(Told::Done(done)));
        let workers = Workers::start(&kept, &done)?;
        let mut seed = [0; 8];
        entropy::fill(&mut seed);
        let (driver, incoming) = Driver::new(Parts {
            kept: kept.clone(),
            device: start.device.clone(),
            endpoint: endpoint.clone(),
            doors,
            shared: Arc::clone(&shared),
            peers_file: PeersFile::in_folder(&start.workspace_folder),
            workers,
            contribute_bytes: start.contribute_bytes,
            site: start.site.clone(),
            leaves: crate::leaving::is_begun(&start.workspace_folder),
            seed: u64::from_le_bytes(seed),
            tell: tell.clone(),
        });
        let driving = handle.spawn(driver.run(incoming, told));
        let inviter = Arc::new(Inviter {
            kept: kept.clone(),
            keys: start.keys.clone(),
            device: start.device.clone(),
            shared: Arc::clone(&shared),
            tell: tell.clone(),
            book: Mutex::default(),
        });
        handle.spawn(take(arrivals, tell.clone(), Arc::clone(&inviter)));
        if start.discovery {
            discover(&handle, &endpoint, start.workspace, &tell, &sightings, &inviter);
        }
        let outside = Outside {
            endpoint: endpoint.clone(),
            tell: tell.clone(),
            metered: start.metered,
            port_mapping: start.port_mapping,
            relay_bytes_per_s: start.relay_bytes_per_s,
        };
        let (end_outside, ended) = oneshot::channel();
        let serving = handle.spawn(outside.run(ended));
        let joiner = Arc::new(Joiner {
            folder: start.folder,
            device: start.device.clone(),
            user: start.keys.user().clone(),
            name: start.name.clone(),
            endpoint: endpoint.clone(),
            sightings,
        });
        let leaver = Arc::new(Leaver::new(
            (start.keys.clone(), start.device.id()),
            (Arc::clone(&shared), tell.clone(), start.stop.clone()),
            start.workspace_folder.clone(),
        ));
        if leaver.is_begun() {
            handle.spawn(Arc::clone(&leaver).watch());
        }
        let group = Arc::new(Self {
            runtime: Mutex::new(Some(runtime)),
            driving: Mutex::new(Some(driving)),
            handle: handle.clone(),
            endpoint,
            tell,
            shared,
            inviter,
            joiner,
            joining: tokio::sync::Mutex::default(),
            leaver,
            workspace_folder: start.workspace_folder,
            keys: start.keys,
            device: start.device,
            name: start.name,
            objection,
            outside: Mutex::new(Some((end_outside, serving))),
            knows_the_hour: AtomicBool::new(false),
            stop: start.stop,
        });
        group.go_by_the_hour(&start.rates);
        group.listen_to(&kept);
        group.tell_own_name();
        Ok(group)
    }

    /// The drive tells of its log and its chunks, and asks for those that are elsewhere.
    fn listen_to(self: &Arc<Self>, kept: &Kept) {
        let tell = self.tell.clone();
        kept.store.on_fresh(Box::new(move || tell.tell(Told::Fresh)));
        let tell = self.tell.clone();
        let advanced = Box::new(move || tell.tell(Told::LogAdvanced));
        match &self.keys {
            Keys::Drive { drive, .. } => {
                drive.on_log_advance(advanced);
                drive.join_group(Arc::new(Fetcher { tell: self.tell.clone() }));
            }
            Keys::Host { host, .. } => host.on_log_advance(advanced),
        }
    }

    /// The roster calls this computer what its settings do.
    fn tell_own_name(&self) {
        let Keys::Drive { drive, user } = &self.keys else { return };
        let id = self.device.id();
        let known = drive.roster(|roster, keyring| {
            let device = roster.device_by_id(&id).filter(|device| device.role.is_some())?;
            Some(device.name(keyring))
        });
        if known.is_none_or(|known| known.as_deref() == Some(&self.name)) {
            return;
        }
        let renamed = drive
            .change_roster(|roster, keyring| Ok(vec![roster.rename_device(user, keyring, id, &self.name)?]));
        match renamed {
            Ok(()) => self.tell.tell(Told::RosterChanged),
            Err(error) => tracing::warn!(%error, "this computer's name could not be told to the others"),
        }
    }

    /// What of the settings was not taken, in words.
    pub fn objection(&self) -> Option<&str> {
        self.objection.as_deref()
    }

    /// Where others reach this computer.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address()
    }

    /// What this computer gives changed.
    pub fn set_given(&self, contribute_bytes: u64, rates: Rates) {
        self.go_by_the_hour(&rates);
        self.endpoint.set_rates(rates);
        self.tell.tell(Told::Given { contribute_bytes });
    }

    /// From the first rates on that go by the hour, the endpoint is told what hour it is.
    fn go_by_the_hour(&self, rates: &Rates) {
        if !rates.hours.is_empty() && !self.knows_the_hour.swap(true, Ordering::Relaxed) {
            self.endpoint.set_minute_of_week(ui::moment::minute_of_week());
            self.handle.spawn(tell_the_minute(self.endpoint.clone()));
        }
    }

    /// What all others together may be sent and send at this moment.
    pub fn allowed(&self) -> Allowed {
        self.endpoint.allowed()
    }

    /// How the reading of all chunks here goes, for the others: a pass takes so long, and the last one that ended.
    pub fn tell_scrubbed(&self, every_s: u64, last: Option<LastPass>) {
        self.tell.tell(Told::Scrubbed { every_s, last });
    }

    /// Opens an invitation.
    fn invite_now(&self, asked: &InviteRequest) -> Result<Invitation, Refusal> {
        let invitation = self.inviter.invite(asked, self.endpoint.address())?;
        self.tell.announce();
        Ok(invitation)
    }

    /// Joins another drive; the daemon then opens it in place of its own.
    fn join_now(&self, asked: &JoinRequest) -> Result<Joined, Refusal> {
        let peer = asked.peer.as_deref().map(str::parse).transpose();
        let peer =
            peer.map_err(|_| Refusal::Refused("the peer's address is like 192.168.1.20:7338".into()))?;
        let with = With::read(asked.code.as_deref(), asked.phrase.as_deref())?;
        self.check_that_nothing_is_lost()?;
        let joined = self.handle.block_on(async {
            let one = self.joining.try_lock();
            let Ok(_one) = one else {
                return Err(Refusal::Refused("this computer is joining already".into()));
            };
            self.joiner.join(&with, peer).await
        })?;
        self.stop.ask(Reason::Joined);
        Ok(joined)
    }

    fn check_that_nothing_is_lost(&self) -> Result<(), Refusal> {
        let told = |why: &str| Err(Refusal::Refused(why.into()));
        let Keys::Drive { drive, .. } = &self.keys else {
            return told(
                "this computer is a host of another drive: use another data folder for this one (--data)",
            );
        };
        if self.inviter.kept.logs.members().devices.len() > 1 {
            return told(
                "this computer shares a drive with others already: use another data folder for this one (--data)",
            );
        }
        let status = drive.status().map_err(|error| Refusal::Failed(error.to_string()))?;
        // The root is a folder, too.
        if status.files > 0 || status.directories > 1 {
            return told(
                "this computer's own drive holds files, and joining would give it up: move them away first, or use another data \
                 folder for the other drive (--data)",
            );
        }
        Ok(())
    }

    /// Ends all links and the network's threads.
    pub fn stop(&self) {
        self.tell.tell(Told::Stop);
        let (driving, outside) = (self.driving.lock().take(), self.outside.lock().take());
        if let (Some(driving), Some((end, serving))) = (driving, outside) {
            // It may have ended already.
            let _ = end.send(());
            let both = async { tokio::join!(driving, serving) };
            let ended = self.handle.block_on(async { tokio::time::timeout(END_WAIT, both).await });
            if ended.is_err() {
                tracing::warn!("the network did not end in time");
            }
        }
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_timeout(END_WAIT);
        }
    }
}

/// Asks the group for chunks, for the drive.
struct Fetcher {
    tell: Tell,
}

impl vfs::Group for Fetcher {
    fn fetch(&self, id: ChunkId, urgency: vfs::Urgency, done: vfs::FetchDone) {
        let urgency = match urgency {
            vfs::Urgency::Now => swarm::Urgency::Now,
            vfs::Urgency::Soon => swarm::Urgency::Soon,
        };
        self.tell.tell(Told::Fetch { id, urgency, done });
    }

    fn await_copies(&self, sequence: u64, copies: u8, done: vfs::CopiesDone) {
        self.tell.tell(Told::AwaitCopies { sequence, copies, done });
    }
}

fn bind(start: &Start, doors: &Arc<Doors>) -> Result<(Endpoint, Arrivals), GroupError> {
    let config = |listen| -> Result<EndpointConfig, GroupError> {
        Ok(EndpointConfig {
            listen,
            identity: Identity::from_seed(&start.device.secret_seed())?,
            admission: Arc::clone(doors) as Arc<dyn transport::Admission>,
            rates: start.rates.clone(),
        })
    };
    if let Some(listen) = start.listen {
        return Ok(Endpoint::bind(config(listen)?)?);
    }
    // Another daemon of this computer may have the port, and a computer may have no IPv6.
    let any = [
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, PEER_PORT)),
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        SocketAddr::from(([0, 0, 0, 0], PEER_PORT)),
    ];
    for listen in any {
        if let Ok(bound) = Endpoint::bind(config(listen)?) {
            return Ok(bound);
        }
    }
    Ok(Endpoint::bind(config(SocketAddr::from(([0, 0, 0, 0], 0)))?)?)
}

async fn take(mut arrivals: Arrivals, tell: Tell, inviter: Arc<Inviter>) {
    while let Some(arrival) = arrivals.next().await {
        match arrival {
            Arrival::Member(link) => tell.tell(Told::Arrived(link)),
            Arrival::Pairing(link) => {
                tokio::spawn(Arc::clone(&inviter).serve(link));
            }
        }
    }
}

/// What a workspace is called on the network: members know it, others learn nothing from it.
fn tag(workspace: WorkspaceId) -> [u8; 8] {
    let hash = blake3::derive_key("peerdrive 2026 discovery tag v1", workspace.as_bytes());
    *hash.first_chunk().expect("a hash is longer")
}

fn discover(
    handle: &tokio::runtime::Handle,
    endpoint: &Endpoint,
    workspace: WorkspaceId,
    tell: &Tell,
    sightings: &Sightings,
    inviter: &Arc<Inviter>,
) {
    let announced = Announced {
        key: endpoint.key(),
        port: endpoint.address().port(),
        groups: vec![tag(workspace)],
        invites: Vec::new(),
    };
    match Discovery::start(&announced) {
        Ok((discovery, found)) => {
            sightings.set_looking(true);
            handle.spawn(watch(found, tell.clone(), sightings.clone()));
            handle.spawn(announce(discovery, announced, tell.clone(), Arc::clone(inviter)));
        }
        Err(error) => {
            tracing::warn!(%error, "other computers cannot be found by themselves; --peer and known addresses still work");
        }
    }
}

/// Rates go by the local hour.
async fn tell_the_minute(endpoint: Endpoint) {
    loop {
        endpoint.set_minute_of_week(ui::moment::minute_of_week());
        // All zones keep whole minutes.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        tokio::time::sleep(Duration::from_secs(60 - since.as_secs() % 60)).await;
    }
}

async fn watch(mut found: FoundStream, tell: Tell, sightings: Sightings) {
    while let Some(found) = found.next().await {
        sightings.saw(found.clone());
        tell.tell(Told::Found(found));
    }
}

async fn announce(discovery: Discovery, mut announced: Announced, tell: Tell, inviter: Arc<Inviter>) {
    loop {
        tell.announce.notified().await;
        announced.invites = inviter.open_numbers();
        discovery.announce(&announced);
    }
}
