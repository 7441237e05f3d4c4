//! Entries of the drive as the API tells them.

use vfs::{FileSafety, Kind, Listed, is_partial_name};

use super::query::encode;
use crate::answers::{Entry, Peer};
use crate::moment;

/// What is not safe is on its way while somebody can take it, and else here alone.
#[derive(Clone, Copy)]
pub(super) struct Company(bool);

impl Company {
    pub(super) fn of(peers: &[Peer]) -> Self {
        Self(peers.iter().any(|peer| peer.state == "online"))
    }

    fn word(self, safety: FileSafety) -> &'static str {
        match safety {
            FileSafety::Safe => "safe",
            FileSafety::OnItsWay => "on_its_way",
            FileSafety::OnlyHere if self.0 => "on_its_way",
            FileSafety::OnlyHere => "only_here",
        }
    }
}

/// `listed` in the folder with this path.
pub(super) fn entry(folder: &[u8], listed: &Listed, company: Company) -> Entry {
    let kind = match listed.attr.kind {
        Kind::File => "file",
        Kind::Directory => "folder",
        Kind::Symlink => "symlink",
        _ => "other",
    };
    let word = |safety| if listed.conflict { "conflict" } else { company.word(safety) };
    Entry {
        path: encode(&joined(folder, &listed.name)),
        kind: kind.into(),
        size: listed.entries.unwrap_or(listed.attr.size),
        modified: moment::to_text(listed.attr.mtime),
        state: listed.safety.map(|safety| word(safety).to_string()),
        partial: is_partial_name(&listed.name),
        name: String::from_utf8_lossy(&listed.name).into_owned(),
    }
}

/// The path of a name in a folder, from the root.
pub(super) fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let end = folder.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let start = folder[..end].iter().position(|byte| *byte != b'/').unwrap_or(end);
    let folder = &folder[start..end];
    if folder.is_empty() {
        return [b"/", name].concat();
    }
    [b"/", folder, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_slash_between_names() {
        for (folder, path) in [("", "/n"), ("/", "/n"), ("a", "/a/n"), ("//a/b//", "/a/b/n")] {
            assert_eq!(joined(folder.as_bytes(), b"n"), path.as_bytes());
        }
    }
}
