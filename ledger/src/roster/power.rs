//! What power a record takes. Asked twice: when it arrives, by its whole past, and when records are weighed, by that
//! part of its past that counts.

use super::RosterError;
use super::record::{Action, RosterRecord};
use super::role::{Need, Role};
use crate::identity::{DeviceId, UserId};

/// What stood before a record.
pub(super) trait Past {
    /// The role of a user.
    fn role_of(&self, user: &UserId) -> Option<Role>;
    /// The user a device belongs to.
    fn owner_of(&self, device: &DeviceId) -> Option<UserId>;
}

/// The least that the record's author must be.
pub(super) fn need_of(record: &RosterRecord, past: &impl Past) -> Result<Need, RosterError> {
    let author = record.author();
    match record.action() {
        Action::Found(_) => Ok(Need::Nothing),
        Action::Member(_) if lessens(record, past) == Some(author) => Ok(Need::Nothing),
        Action::Member(member) => {
            let before = past.role_of(&member.user.id());
            Ok(Need::over(before).max(Need::over(member.role)))
        }
        Action::Device { claim, .. } => {
            let role = past.role_of(&claim.user()).ok_or(RosterError::UnknownUser)?;
            Ok(over_device(author, claim.user(), Some(role)))
        }
        Action::RemoveDevice(cut) => {
            let owner = past.owner_of(&cut.device).ok_or(RosterError::UnknownDevice)?;
            Ok(over_device(author, owner, past.role_of(&owner)))
        }
        Action::Grant(_) | Action::Policy(_) => Ok(Need::Admin),
        // Who may write could as well write again what he vouches for.
        Action::Vouch(vouch) => {
            past.owner_of(&vouch.device).map(|_| Need::Writer).ok_or(RosterError::UnknownDevice)
        }
    }
}

/// The user whose power the record lessens.
pub(super) fn lessens(record: &RosterRecord, past: &impl Past) -> Option<UserId> {
    let Action::Member(member) = record.action() else { return None };
    let user = member.user.id();
    (member.role < past.role_of(&user)).then_some(user)
}

fn over_device(author: UserId, owner: UserId, role: Option<Role>) -> Need {
    if author == owner { Need::Member } else { Need::over(role) }
}
