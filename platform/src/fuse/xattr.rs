//! Extended attributes.
//!
//! Kept are `user.*` (and what the drive shows as `user.peerdrive.*`) and, for root, `trusted.*`. File capabilities and
//! access control lists are not: a drive that other computers share must not carry one computer's privileges.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use fuser::{Errno, INodeNo, ReplyEmpty, ReplyXattr, Request};
use vfs::{Error, XattrMode};

use super::adapter::{Adapter, empty};
use super::errno::errno;

pub fn set(adapter: &Adapter, ino: INodeNo, name: &OsStr, value: &[u8], flags: i32, reply: ReplyEmpty) {
    if !is_kept(name) {
        return reply.error(Errno::EOPNOTSUPP);
    }
    let mode = match flags {
        0 => XattrMode::Any,
        libc::XATTR_CREATE => XattrMode::Create,
        libc::XATTR_REPLACE => XattrMode::Replace,
        _ => return reply.error(Errno::EINVAL),
    };
    match adapter.drive().set_xattr(ino.0, name.as_bytes(), value, mode) {
        Err(Error::TooLarge) => reply.error(Errno::E2BIG),
        answer => empty(reply, answer),
    }
}

pub fn get(adapter: &Adapter, ino: INodeNo, name: &OsStr, room: u32, reply: ReplyXattr) {
    if !is_kept(name) {
        // Asked for often, and told so once, `ls` and others stop asking for labels, capabilities and lists.
        return reply.error(Errno::EOPNOTSUPP);
    }
    match adapter.drive().get_xattr(ino.0, name.as_bytes()) {
        Ok(value) => fit(reply, &value, room),
        Err(error) => reply.error(errno(error)),
    }
}

pub fn list(adapter: &Adapter, caller: &Request, ino: INodeNo, room: u32, reply: ReplyXattr) {
    match adapter.drive().list_xattr(ino.0) {
        Ok(names) => {
            let visible = names.iter().filter(|name| caller.uid() == 0 || !name.starts_with(b"trusted."));
            let list: Vec<u8> = visible.flat_map(|name| name.iter().copied().chain([0])).collect();
            fit(reply, &list, room);
        }
        Err(error) => reply.error(errno(error)),
    }
}

pub fn remove(adapter: &Adapter, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
    if is_kept(name) {
        empty(reply, adapter.drive().remove_xattr(ino.0, name.as_bytes()));
    } else {
        reply.error(Errno::EOPNOTSUPP);
    }
}

/// The kernel itself lets only root near `trusted.*`.
fn is_kept(name: &OsStr) -> bool {
    [b"user.".as_slice(), b"trusted."].iter().any(|kept| name.as_bytes().starts_with(kept))
}

/// The value, or its length when no room was offered, or that the room is too small.
fn fit(reply: ReplyXattr, value: &[u8], room: u32) {
    match u32::try_from(value.len()) {
        Ok(len) if room == 0 => reply.size(len),
        Ok(len) if len <= room => reply.data(value),
        _ => reply.error(Errno::ERANGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_names_are_kept() {
        assert!(is_kept(OsStr::new("user.colour")));
        assert!(is_kept(OsStr::new("trusted.overlay.opaque")));
        assert!(!is_kept(OsStr::new("security.capability")));
        assert!(!is_kept(OsStr::new("system.posix_acl_access")));
    }
}
