//! Why a roster record is refused or cannot be made.

use thiserror::Error;

use super::graph::{MAX_HELD_RECORDS, MAX_RECORDS};
use super::policy::PolicyError;
use crate::keys::KeyError;

/// A refusal. For a record that came from elsewhere: count it and show it, the roster is as before.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RosterError {
    /// Not a record.
    #[error("these bytes are not a roster record: refuse them")]
    Malformed,
    /// From a later release.
    #[error(
        "this roster record has format {found} and this release reads up to {supported}: install a newer PeerDrive"
    )]
    NewerVersion {
        /// The version it has.
        found: u16,
        /// The newest known here.
        supported: u16,
    },
    /// Changed, or signed by somebody else than it says.
    #[error("the roster record's signature does not fit: refuse it")]
    InvalidSignature,
    /// For another workspace, or founded by somebody else than the workspace's identifier says.
    #[error("the roster record is for another workspace")]
    OtherWorkspace,
    /// The author's role did not allow it.
    #[error("this needs the role of {needed} over the person concerned: ask one of them")]
    NotAllowed {
        /// Who could have.
        needed: &'static str,
    },
    /// It would leave nobody in charge.
    #[error("the last owner cannot leave or step down: make somebody else owner first")]
    LastOwner,
    /// No such member.
    #[error("this user is not a member of the workspace")]
    UnknownUser,
    /// No such device.
    #[error("this device does not belong to a member of the workspace")]
    UnknownDevice,
    /// A member's word on the log of a device that may write, or on what of it counts already.
    #[error("all of that counts already: there is nothing to vouch for")]
    NothingToVouchFor,
    /// An epoch number that does not follow the last.
    #[error("epochs of a realm are numbered without gaps: refuse this one")]
    EpochSkips,
    /// Too many records.
    #[error("the roster is full ({MAX_RECORDS} records): start a new workspace")]
    Full,
    /// Too many records wait for their parents.
    #[error(
        "{MAX_HELD_RECORDS} roster records wait for others that are missing: send the missing ones first"
    )]
    TooManyHeld,
    /// A name that is empty, too long or has control characters.
    #[error("a name has 1 to {max_bytes} bytes and no control characters: choose another")]
    InvalidName {
        /// Longest name, bytes.
        max_bytes: usize,
    },
    /// The keyring is another workspace's or lacks the keys.
    #[error("the keyring does not hold this workspace's keys: open the right one")]
    WrongKeyring,
    /// A decision about copies that makes no sense.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A key that cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}
