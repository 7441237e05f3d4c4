//! The drive: what every adapter calls, and nothing of FUSE, WinFsp or HTTP in it.
//!
//! ```text
//! Drive ── ops/       one operation a file: lookup, create, read, write, rename …
//!   │      people/    what people ask: history, restore, status, where, scrub, doctor
//!   │      by_path/   what is done to files beside a mount: list, search, move, copy, delete, upload
//!   ├───── remote/    what other devices did: logs and records taken in, conflicts
//!   ├───── node/      inodes in use: open, or with changes that are not settled
//!   ├───── content/   settled pieces, unsettled changes over them, pages of long lists
//!   ├───── write/     write buffer, streams, settling, publishing, group commit
//!   ├───── access        what the roster allows this computer, and asks of it
//!   ├───── group, fetch, starved, safety, naming, log_watch    what the drive asks of other computers, and what it tells them
//!   └───── keeper, garbage, read_ahead, changes
//! ```
//!
//! A call answers at once from memory or a short read of the tree's database, or through a [`Reply`] that may come later from a
//! thread of the drive; no runtime is needed. Inodes are addressed by number, [`Drive::resolve`] finds them by path.

mod access;
mod attr;
mod believed_time;
mod by_path;
mod changes;
mod content;
mod core;
mod drive;
mod error;
mod fetch;
mod fetch_ahead;
mod garbage;
mod group;
mod keeper;
mod log_watch;
mod naming;
mod nearby;
mod node;
mod ops;
mod patience;
mod people;
mod read_ahead;
mod remote;
mod request;
mod safety;
mod starved;
mod tree_file;
mod write;

pub use attr::{Attr, AttrChange, NewNode, Ownership, StatFs, TimeChange};
pub use by_path::{
    ABANDONED_MAX, Concerned, Filter, Listed, ListedPage, LossAsked, LossTold, PARTIAL_SUFFIX, Removed,
    Search, SearchFound, VersionContent, Wanted, WrittenByDevice, WrittenTold, is_partial_name,
};
#[doc(hidden)]
pub use content::page::decode_any as decode_page_for_fuzzing;
pub use drive::{CARE_EVERY, Drive, Open, OpenError, Settings, WorkspaceFiles};
pub use error::Error;
pub use group::{CopiesDone, FetchDone, FetchError, Group, Urgency};
pub use ledger::{Ino, Kind, ROOT, Time};
pub use naming::{Named, NamedReply};
pub use nearby::Nearby;
pub use people::{
    CopyFacts, DoctorFinding, DoctorProgress, Health, LogLine, PeopleError, RestoreAt, Restored,
    ScrubProgress, ScrubReport, Severity, Status, VersionInfo, Whereabouts, is_version_id,
};
pub use remote::{ConflictInfo, ConflictPage, HeldAndRefused, RemoteOutcome};
pub use request::{
    Allocate, Change, DirItem, Handle, OpenFlags, Opened, Reached, RenameMode, Reply, Seek, XattrMode, wait,
};
pub use safety::{FileSafety, Safety};
pub use tree_file::make_joined;
pub use write::journal::ReplayError;
