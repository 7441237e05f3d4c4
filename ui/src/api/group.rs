//! What the API asks of the group of computers.

use crate::answers::{
    Device, Garbage, Holding, IfLost, Invitation, InviteRequest, JoinRequest, Joined, Leave, LeaveRequest,
    Owned, Peer, Policy, PolicyChange, Relaying, WaitFor, Waited,
};

use super::host::Refusal;

/// On how many computers some files are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyCounts {
    /// So many copies make a file safe.
    pub wanted: u64,
    /// The files that were counted, by their place in the question.
    pub counted: Vec<(usize, u64)>,
}

/// The other computers of the drive, as the API sees them. Every call may block for a moment: it is made off the async threads.
pub trait Group: Send + Sync {
    /// Every other device of the drive.
    fn peers(&self) -> Vec<Peer>;

    /// What is passed on between others that do not reach each other.
    fn relaying(&self) -> Relaying;

    /// Chunks that should be on this computer and are being fetched from others.
    fn mending_chunks(&self) -> u64;

    /// What a host without keys gives up; none on others.
    fn garbage(&self) -> Option<Garbage>;

    /// Every device of the drive, this one first.
    fn devices(&self) -> Vec<Device>;

    /// Which partitions each device owns that keeps copies; empty while the group ends.
    fn owned(&self) -> Vec<Owned>;

    /// Opens an invitation.
    ///
    /// # Errors
    /// [`Refusal`]: this user may not invite, or too many invitations are open.
    fn invite(&self, asked: &InviteRequest) -> Result<Invitation, Refusal>;

    /// Joins the drive of others. Answers when this computer belongs to it; its own drive then opens anew.
    ///
    /// # Errors
    /// [`Refusal`]: nobody was found, the code is wrong, this computer's own drive holds files.
    fn join(&self, asked: &JoinRequest) -> Result<Joined, Refusal>;

    /// Gives a device another name.
    ///
    /// # Errors
    /// [`Refusal`]: no such device, or not allowed.
    fn rename_device(&self, device: &str, name: &str) -> Result<(), Refusal>;

    /// Takes a device out of the drive, with new keys for those that stay.
    ///
    /// # Errors
    /// [`Refusal`]: no such device, or not allowed.
    fn revoke_device(&self, device: &str) -> Result<(), Refusal>;

    /// A person says that a device will not come back: what it held is copied elsewhere at once.
    ///
    /// # Errors
    /// [`Refusal`]: no such device, or it is here.
    fn declare_lost(&self, device: &str) -> Result<(), Refusal>;

    /// Takes that back.
    ///
    /// # Errors
    /// [`Refusal`]: no such device.
    fn declare_found(&self, device: &str) -> Result<(), Refusal>;

    /// What these devices would take with them if they died now.
    ///
    /// # Errors
    /// [`Refusal`]: no such device.
    fn if_lost(&self, devices: &[String]) -> Result<IfLost, Refusal>;

    /// Leaves the drive, at once or when the others have taken over what is here; or stays after all. Answers how far that is.
    ///
    /// # Errors
    /// [`Refusal`]: something would be lost by it, or it makes no sense.
    fn leave(&self, asked: LeaveRequest) -> Result<Leave, Refusal>;

    /// How far that is.
    fn leaving(&self) -> Leave;

    /// What was decided about copies.
    fn policy(&self) -> Policy;

    /// Decides it, for all computers of the drive.
    ///
    /// # Errors
    /// [`Refusal`]: the numbers do not fit together, or this user may not.
    fn set_policy(&self, change: &PolicyChange) -> Result<Policy, Refusal>;

    /// Waits a while; an answer that is neither done nor says why means: ask again.
    fn wait(&self, until: WaitFor, path: Option<&[u8]>) -> Waited;

    /// On how many computers these files are, as far as could be counted in a moment: the first always, if it is a file.
    ///
    /// # Errors
    /// [`Refusal`]: this computer sees no files, or its disk fails.
    fn copies(&self, paths: &[Vec<u8>]) -> Result<CopyCounts, Refusal>;

    /// Who holds the content of a file, as far as those who are reachable say.
    ///
    /// # Errors
    /// [`Refusal`]: no such file.
    fn holders(&self, path: &[u8]) -> Result<Vec<Holding>, Refusal>;
}
