//! The drive, or the sealed data of a host, opened as the settings say; and made when this computer joins.

use std::path::Path;
use std::sync::Arc;

use chunkstore::disk::{DatabaseFile, Disk, OsDisk};
use chunkstore::{ChunkStore, Limits};
use ledger::identity::WorkspaceId;
use ledger::keys::{DeviceKey, Keyring, UserKeys};
use ledger::{LedgerError, RedbBacking, SealedLogs};
use ui::units::ByteSize;
use vfs::{Drive, Open, OpenError, Ownership, WorkspaceFiles};

use crate::data_folder::DataFolder;
use crate::group::SealedHost;
use crate::hurry;
use crate::identity::{self, OpenWorkspace};
use crate::settings::Settings;

/// Two halves, each with room for a second of a busy database's `fsync`s. Bytes.
const JOURNAL_BYTES: u64 = 32 << 20;
/// Cache of a host's logs; the kernel's page cache does the rest. Bytes.
const LOGS_CACHE_BYTES: usize = 4 << 20;
/// Name of the workspace the first start makes.
const FIRST_WORKSPACE: &str = "drive";

/// What is known of the disk under the data folder.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub disk_bytes: u64,
    pub free_bytes: u64,
}

/// The room on the disk of the data folder.
///
/// # Errors
/// What the system says.
pub fn room(folder: &DataFolder) -> std::io::Result<Room> {
    let space = OsDisk.space(folder.root())?;
    Ok(Room { disk_bytes: space.total_bytes, free_bytes: space.free_bytes })
}

/// Opens the drive, making it at the first start.
///
/// # Errors
/// [`OpenError`].
pub fn open(
    folder: &DataFolder,
    settings: &Settings,
    contribute: ByteSize,
    room: Room,
    device: DeviceKey,
    user: &UserKeys,
    workspace: &OpenWorkspace,
) -> Result<Arc<Drive>, OpenError> {
    let owner = platform::owner::Owner::of_this_process();
    let ownership = if settings.posix_owners {
        Ownership::Posix
    } else {
        Ownership::MapTo { uid: owner.uid, gid: owner.gid }
    };
    Drive::start(Open {
        disk: Arc::new(OsDisk),
        files: WorkspaceFiles { chunks: folder.chunks(), workspace: workspace.folder.clone() },
        device,
        user,
        keyring: &workspace.keyring,
        name: FIRST_WORKSPACE,
        joins: None,
        settings: vfs::Settings {
            ownership,
            write_buffer_bytes: settings.write_buffer_bytes(),
            retention: settings.history.duration(),
            care_every: hurry::garbage_pause().unwrap_or(vfs::CARE_EVERY),
            journal_bytes: JOURNAL_BYTES,
        },
        limits: limits(settings, contribute, room),
    })
}

/// Opens the sealed data of a host.
///
/// # Errors
/// In words.
pub fn open_host(
    folder: &DataFolder,
    (place, id): (&Path, WorkspaceId),
    settings: &Settings,
    contribute: ByteSize,
    room: Room,
) -> Result<SealedHost, String> {
    let limits = limits(settings, contribute, room);
    let store = ChunkStore::open(Arc::new(OsDisk), &folder.chunks(), limits)
        .map_err(|error| format!("the chunk store in {} did not open: {error}", folder.chunks().display()))?;
    let path = place.join(identity::LOGS_FILE);
    let logs = SealedLogs::open(logs_database(&path)?, id)
        .map_err(|error| format!("the sealed logs {} cannot be used: {error}", path.display()))?;
    Ok(SealedHost::new(logs, Arc::new(store), place))
}

/// Makes the tree of a drive that is being joined: its roster is there, everything else comes from the others.
///
/// # Errors
/// In words.
pub fn prepare_joined(
    folder: &Path,
    device: &DeviceKey,
    user: &UserKeys,
    keyring: &Keyring,
    name: &str,
    records: &[Vec<u8>],
) -> Result<(), String> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    vfs::make_joined(&disk, folder, device, user, keyring, name, records).map_err(|error| error.to_string())
}

/// Makes the sealed logs of a host that joins.
///
/// # Errors
/// In words.
pub fn prepare_host(folder: &Path, workspace: WorkspaceId, records: &[Vec<u8>]) -> Result<(), String> {
    let failed = |error: LedgerError| error.to_string();
    let mut logs =
        SealedLogs::create(logs_database(&folder.join(identity::LOGS_FILE))?, workspace).map_err(failed)?;
    logs.accept_records(records).map_err(failed)?;
    logs.commit().map_err(failed)
}

fn logs_database(path: &Path) -> Result<Box<RedbBacking>, String> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = DatabaseFile::open(&disk, path, None).map_err(|error| told(&error))?;
    RedbBacking::open(file, LOGS_CACHE_BYTES).map(Box::new).map_err(|error| told(&error))
}

fn limits(settings: &Settings, contribute: ByteSize, room: Room) -> Limits {
    Limits {
        contribute_bytes: contribute.0,
        reserve_bytes: settings.reserve_of(room.disk_bytes),
        cache_bytes: settings.chunk_cache_bytes(),
        ..Limits::default()
    }
}
