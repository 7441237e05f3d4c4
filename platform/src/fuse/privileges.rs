//! Set-user-id and set-group-id bits fall when somebody else changes the file.
//!
//! The kernel leaves this to the file system that asked for it (`FUSE_HANDLE_KILLPRIV_V2`): always when the owner
//! changes, and on a write or truncation by a caller without the privilege to keep them. A write carries a flag for
//! it; for the other requests fuser does not pass the flag on, and every user but root counts as without privilege.

use fuser::{INodeNo, Request};
use vfs::{AttrChange, Change, Kind};

use super::adapter::Adapter;

/// The bits left of `mode`: set-group-id without group execution is not a privilege (it once meant locking).
fn stripped(mode: u32) -> u32 {
    const SET_UID: u32 = 0o4000;
    const SET_GID: u32 = 0o2000;
    const GROUP_EXECUTES: u32 = 0o0010;
    let lost = if mode & GROUP_EXECUTES == 0 { SET_UID } else { SET_UID | SET_GID };
    mode & !lost
}

/// Adds to `change` what it costs in privileges.
pub fn lose_with(adapter: &Adapter, caller: &Request, ino: INodeNo, change: &mut AttrChange) {
    let owner_changes = change.uid.is_some() || change.gid.is_some();
    let shortened = change.size.is_some() && caller.uid() != 0;
    if change.mode.is_some() || !(owner_changes || shortened) {
        return;
    }
    change.mode = to_lose(adapter, ino);
}

/// Before content is changed by a request that carries no flag.
pub fn lose_by_writing(adapter: &Adapter, caller: &Request, ino: INodeNo) {
    if caller.uid() != 0 {
        lose(adapter, ino);
    }
}

/// Takes the bits from the file, if it has any.
pub fn lose(adapter: &Adapter, ino: INodeNo) {
    let Some(mode) = to_lose(adapter, ino) else { return };
    let change = AttrChange { mode: Some(mode), ..AttrChange::default() };
    let notices = adapter.notices.clone();
    let answer = move |lost: Result<_, _>| match lost {
        // The kernel still holds the old bits.
        Ok(_) => notices.tell(Change::Attributes(ino.0)),
        Err(error) => {
            tracing::warn!(ino = ino.0, %error, "set-id bits could not be taken from a changed file");
        }
    };
    adapter.drive().set_attr(ino.0, None, change, Box::new(answer));
}

/// The mode without the bits, where that makes a difference.
fn to_lose(adapter: &Adapter, ino: INodeNo) -> Option<u32> {
    let attr = adapter.drive().attr(ino.0).ok()?;
    let mode = stripped(attr.mode);
    (attr.kind != Kind::Directory && mode != attr.mode).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_privilege() {
        assert_eq!(stripped(0o6755), 0o755);
        assert_eq!(stripped(0o6745), 0o2745);
        assert_eq!(stripped(0o1644), 0o1644);
    }
}
