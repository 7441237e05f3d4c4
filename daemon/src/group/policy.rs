//! What is decided about copies: by the founder at the first start, later by a command, for all computers.

use ledger::keys::UserKeys;
use ledger::roster::{COPIES_MAX, Copies, FsyncLevel, Policy, PolicyError, Role};
use ui::answers::PolicyChange;
use ui::api::Refusal;
use vfs::Drive;

/// Founds the policy where this computer is the only one and nobody decided yet: `target` copies, or as many as is usual. Elsewhere a
/// `target` that is not what the drive has is not taken: one computer's settings must not change what all go by, and what was
/// decided since must not keep it from starting. Then the answer says so, in words.
pub fn found(drive: &Drive, user: &UserKeys, target: Option<u8>) -> Option<String> {
    let (alone, decided, policy) = drive.roster(|roster, _| {
        let alone = roster.devices().count() == 1 && roster.role_of(&user.id()) == Some(Role::Owner);
        (alone, roster.decided_policy().is_some(), roster.policy())
    });
    if alone && !decided {
        let policy = target.map_or(policy, |target| Policy { copies: Copies::wanting(target), ..policy });
        let founded = drive.change_roster(|roster, _| Ok(vec![roster.set_policy(user, policy)?]));
        return founded.err().map(|error| format!("the number of copies could not be kept ({error})"));
    }
    target.filter(|target| *target != policy.copies.target).map(|target| {
        format!(
            "The target of {target} copies was not taken: {} are wanted in this drive, which holds for all its computers. \
             `peerdrive workspace policy --copies {target}` changes that.",
            policy.copies.target
        )
    })
}

/// Decides anew.
///
/// # Errors
/// [`Refusal`]: the numbers do not fit together, or this user may not.
pub fn change(drive: &Drive, user: &UserKeys, change: &PolicyChange) -> Result<(), Refusal> {
    let before = drive.roster(|roster, _| roster.policy());
    let refused = |error: PolicyError| Refusal::Refused(error.to_string());
    let next = changed(before, change).map_err(refused)?;
    next.check().map_err(refused)?;
    if next == before {
        return Ok(());
    }
    drive
        .change_roster(|roster, _| Ok(vec![roster.set_policy(user, next)?]))
        .map_err(|error| Refusal::Refused(error.to_string()))
}

/// Only what was named changes, except that `min` and `max` make way for another target.
fn changed(before: Policy, change: &PolicyChange) -> Result<Policy, PolicyError> {
    let mut copies = before.copies;
    if let Some(target) = change.copies {
        let beyond = copies.max.saturating_sub(copies.target);
        copies = Copies {
            min: copies.min.min(target),
            target,
            max: target.saturating_add(beyond).min(COPIES_MAX.max(target)),
        };
    }
    copies.min = change.min.unwrap_or(copies.min);
    copies.max = change.max.unwrap_or(copies.max);
    let fsync = change.fsync.as_deref().map(str::parse::<FsyncLevel>).transpose()?.unwrap_or(before.fsync);
    Ok(Policy { copies, fsync })
}

/// As people see it.
pub fn shown(policy: Policy) -> ui::answers::Policy {
    let Policy { copies, fsync } = policy;
    ui::answers::Policy { copies: copies.target, min: copies.min, max: copies.max, fsync: fsync.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(before: Copies, copies: Option<u8>, min: Option<u8>, max: Option<u8>) -> Copies {
        let policy = Policy { copies: before, fsync: FsyncLevel::Local };
        changed(policy, &PolicyChange { copies, min, max, fsync: None }).unwrap().copies
    }

    #[test]
    fn the_others_make_way_for_another_target_and_what_is_named_stays() {
        let copies = |min, target, max| Copies { min, target, max };
        assert_eq!(after(copies(2, 3, 3), Some(5), None, None), copies(2, 5, 5));
        assert_eq!(after(copies(3, 4, 6), Some(2), None, None), copies(2, 2, 4));
        assert_eq!(after(copies(2, 3, 7), Some(6), None, None), copies(2, 6, 8));
        assert_eq!(after(copies(2, 3, 3), None, Some(3), Some(4)), copies(3, 3, 4));
        assert_eq!(after(copies(2, 3, 3), None, None, None), copies(2, 3, 3));
    }

    #[test]
    fn a_level_is_read_as_people_write_it() {
        let change = |fsync: &str| PolicyChange { fsync: Some(fsync.into()), ..PolicyChange::default() };
        let changed = |fsync| changed(Policy::default(), &change(fsync));
        assert_eq!(changed("replicas(2)").unwrap().fsync, FsyncLevel::Replicas(2));
        assert_eq!(changed("two"), Err(PolicyError::Level));
    }
}
