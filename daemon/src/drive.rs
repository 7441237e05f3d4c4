//! The drive, opened as the settings say.

use std::sync::Arc;

use chunkstore::Limits;
use chunkstore::disk::{Disk, OsDisk};
use ledger::keys::{DeviceKey, UserKeys};
use ui::units::ByteSize;
use vfs::{Drive, Open, OpenError, Ownership, WorkspaceFiles};

use crate::data_folder::DataFolder;
use crate::identity::OpenWorkspace;
use crate::settings::Settings;

/// Two halves, each with room for a second of a busy database's `fsync`s. Bytes.
const JOURNAL_BYTES: u64 = 32 << 20;
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
            journal_bytes: JOURNAL_BYTES,
        },
        limits: Limits {
            contribute_bytes: contribute.0,
            reserve_bytes: settings.reserve_of(room.disk_bytes),
            cache_bytes: settings.chunk_cache_bytes(),
            ..Limits::default()
        },
    })
}
