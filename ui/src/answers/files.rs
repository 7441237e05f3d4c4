//! The JSON of files: folders, entries, search, uploads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Its name; one that is no UTF-8 is shown with replacement characters.
    pub name: String,
    /// Its path, percent-encoded: what `path=` of other routes takes.
    pub path: String,
    /// `file`, `folder`, `symlink` or `other`.
    pub kind: String,
    /// Length in bytes; of a folder: how many names are in it.
    pub size: u64,
    /// Last change of content.
    pub modified: String,
    /// Of a file: `safe`, `on_its_way`, `only_here` or `conflict`.
    pub state: Option<String>,
    /// It is an upload that was not finished.
    #[serde(default)]
    pub partial: bool,
}

/// On how many computers some files are: the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CopiesRequest {
    /// `path` of 1 to 64 entries.
    pub paths: Vec<String>,
}

/// On how many computers some files are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Copies {
    /// So many copies make a file safe, with the computers that the drive has now.
    pub wanted: u64,
    /// The files that were counted, in the order in which they were asked for: those that are left out are to be asked for again, or are
    /// no files.
    pub files: Vec<FileCopies>,
}

/// One file of [`Copies`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileCopies {
    /// As it was asked for.
    pub path: String,
    /// Every part of it is on so many computers at least, as those say that could be asked now.
    pub copies: u64,
}

/// A part of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Folder {
    /// The folder's path, as people read it.
    pub path: String,
    /// Entries, in no order that means anything.
    pub entries: Vec<Entry>,
    /// What `after=` takes for the next part; none at the end.
    pub next: Option<String>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// Names that hold all words.
    pub entries: Vec<FoundEntry>,
    /// Every name was looked at; else there may be more.
    pub complete: bool,
    /// What `after=` takes to go on; none when all was looked at.
    #[serde(default)]
    pub next: Option<String>,
}

/// One name that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundEntry {
    /// The folder it is in, as people read it.
    pub folder: String,
    /// What was found there.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a deletion did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// Names that went.
    pub entries: u64,
    /// What `undelete` takes to bring all of it back.
    pub since: String,
}

/// `undelete`: the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Undelete {
    /// What the deletion answered.
    pub since: String,
}

/// How many names a request made or brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// So many.
    pub entries: u64,
}
