//! What can be wrong with a key file, a passphrase or a recovery phrase.

use thiserror::Error;

/// Why keys could not be read, opened or rebuilt. The message says what to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The file is of another kind.
    #[error("this is not a PeerDrive {what}: check that the right file was given")]
    NotThisFile {
        /// What was expected.
        what: &'static str,
    },
    /// A later release wrote it.
    #[error(
        "this {what} has format {found} and this release reads up to {supported}: install a newer PeerDrive; the file was not touched"
    )]
    NewerVersion {
        /// What it is.
        what: &'static str,
        /// The version in the file.
        found: u16,
        /// The newest version known here.
        supported: u16,
    },
    /// Its bytes are not those that were written.
    #[error("this {what} is damaged: restore it from a copy, or rebuild the keys from the recovery phrase")]
    Damaged {
        /// What it is.
        what: &'static str,
    },
    /// The file is whole, and the passphrase is not its own.
    #[error("wrong passphrase: try again, or use the recovery phrase")]
    WrongPassphrase,
    /// Nothing was typed.
    #[error("the passphrase is empty: choose one with at least one character")]
    EmptyPassphrase,
    /// Passphrase cost outside what this release accepts.
    #[error(
        "the passphrase cost is out of range: memory {min_kib} to {max_kib} KiB, 1 to {max_passes} passes, 1 to {max_lanes} lanes"
    )]
    CostOutOfRange {
        /// Least memory, KiB.
        min_kib: u32,
        /// Most memory, KiB.
        max_kib: u32,
        /// Most passes.
        max_passes: u32,
        /// Most lanes.
        max_lanes: u32,
    },
    /// The memory that the passphrase hash needs is not there.
    #[error(
        "not enough memory to check the passphrase ({needed_kib} KiB): close other programs and try again"
    )]
    OutOfMemory {
        /// Memory it takes, KiB.
        needed_kib: u32,
    },
    /// Sealed to somebody else's agreement key.
    #[error("this {what} is sealed to another user: open it with the keys of the user it was made for")]
    ForAnotherUser {
        /// What it is.
        what: &'static str,
    },
    /// Not 24 words.
    #[error("a recovery phrase has 24 words, this has {found}")]
    PhraseLength {
        /// Words given.
        found: usize,
    },
    /// A word that is not on the list.
    #[error("word {position} of the recovery phrase, \"{word}\", is not on the word list{}", hint(*suggestion))]
    PhraseWord {
        /// Its place, counted from 1.
        position: usize,
        /// The word, shortened to at most 32 characters.
        word: String,
        /// A word of the list that begins alike.
        suggestion: Option<&'static str>,
    },
    /// All words are known and do not belong together.
    #[error(
        "the recovery phrase does not add up: a word is wrong or two are exchanged; compare it with what was written down"
    )]
    PhraseChecksum,
    /// Bytes that are not a public key.
    #[error("these bytes are not a valid public key: ask for it again")]
    InvalidPublicKey,
    /// A signature that does not fit.
    #[error("the signature does not fit: the data was changed, or signed by somebody else")]
    InvalidSignature,
}

fn hint(suggestion: Option<&'static str>) -> String {
    suggestion.map_or_else(|| ": check its spelling".into(), |word| format!(": was it \"{word}\"?"))
}
