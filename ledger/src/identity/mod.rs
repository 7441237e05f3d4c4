//! Who is who: the identifiers of devices, users, workspaces and realms, and how people read and type them.
//!
//! ```text
//! DeviceId     32 bytes  BLAKE3 of the device's Ed25519 public key       DeviceTag = its first 8 bytes
//! UserId       32 bytes  BLAKE3 of the user's signing and agreement keys
//! WorkspaceId  16 bytes  BLAKE3 of the founder's UserId, a random salt and the root realm
//! RealmId      16 bytes  random
//! ```
//!
//! The text form of all four is described in [`text`] and in `docs/formats/keys.md`.

mod ids;
pub mod text;

pub use ids::{DeviceId, DeviceTag, RealmId, UserId, WorkspaceId};
pub use text::IdTextError;
