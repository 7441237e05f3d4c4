//! Tokens for other programs: each may so much, in one drive, until somebody revokes it.
//!
//! ```text
//! create ─▶ 64 characters, shown once ─▶ Authorization: Bearer … ─▶ check: known, and of this drive ─▶ its scope
//! ```
//!
//! Kept are hashes only, in `<data>/api.tokens` (docs/formats/tokens.md): who reads that file can use none of them.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::guard::ApiToken;
use super::sessions::{hash_of, is_same};
use crate::answers::{Scope, Token};
use crate::moment;

/// Tokens at a time.
pub(super) const MAX_TOKENS: usize = 32;
/// Bytes of a token's name at most.
pub(super) const MAX_NAME_BYTES: usize = 100;
/// Bytes of the file at most: all tokens with the longest names, twice over.
const MAX_FILE_BYTES: usize = 64 << 10;
/// What the file says it is.
const FORMAT: &str = "peerdrive tokens";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Puts the file's new content in the place of the old one, durably, readable by nobody else.
pub type Keep = Box<dyn Fn(&[u8]) -> io::Result<()> + Send + Sync>;

/// Why a file is not read as tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// Written by a later version of the program.
    #[error("it is of version {0}, which this program does not know: use the newer program")]
    Newer(u32),
    /// Something else: what is wrong with it.
    #[error("{0}")]
    Garbage(String),
}

/// Why a token was not made or not revoked.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenRefused {
    #[error("there are {MAX_TOKENS} tokens: revoke one with `peerdrive token revoke` first")]
    TooMany,
    #[error("a token's name has 1 to {MAX_NAME_BYTES} bytes and no control characters: choose another one")]
    Name,
    #[error("another token has this name: choose another one")]
    Taken,
    #[error("there is no token {0}: see `peerdrive token list`")]
    Unknown(String),
    #[error("the tokens cannot be written ({0}): check the disk of the data folder")]
    Io(#[from] io::Error),
}

/// All tokens of one daemon but the one of `api.token`.
pub struct Tokens {
    random: fn(&mut [u8]),
    keep: Keep,
    book: Mutex<Vec<Known>>,
}

struct Known {
    kept: Kept,
    /// Since the start.
    used: Option<SystemTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    id: u64,
    name: String,
    scope: Scope,
    /// The drive it is for.
    workspace: String,
    created: String,
    /// BLAKE3 of the text, in hexadecimal.
    #[serde(with = "hex")]
    hash: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    tokens: Vec<Kept>,
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl Tokens {
    /// No tokens yet. `random` fills a buffer with bytes that nobody can guess.
    #[must_use]
    pub fn new(random: fn(&mut [u8]), keep: Keep) -> Self {
        Self { random, keep, book: Mutex::default() }
    }

    /// The tokens in the content of a file.
    ///
    /// # Errors
    /// [`TokensError`].
    pub fn open(file: &[u8], random: fn(&mut [u8]), keep: Keep) -> Result<Self, TokensError> {
        let known = decode(file)?.into_iter().map(|kept| Known { kept, used: None });
        Ok(Self { random, keep, book: Mutex::new(known.collect()) })
    }

    /// Makes a token; its text is told this once.
    pub(super) fn create(
        &self,
        name: &str,
        scope: Scope,
        workspace: &str,
    ) -> Result<(Token, ApiToken), TokenRefused> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(TokenRefused::Name);
        }
        let mut book = self.locked();
        if book.len() >= MAX_TOKENS {
            return Err(TokenRefused::TooMany);
        }
        if book.iter().any(|known| known.kept.name == name) {
            return Err(TokenRefused::Taken);
        }
        let mut bytes = Zeroizing::new([0; 32]);
        (self.random)(bytes.as_mut());
        let text = ApiToken::from_random(&bytes);
        let kept = Kept {
            id: book.iter().map(|known| known.kept.id).max().unwrap_or(0) + 1,
            name: name.into(),
            scope,
            workspace: workspace.into(),
            created: moment::system_text(SystemTime::now()),
            hash: hash_of(text.as_str()),
        };
        (self.keep)(&encode(book.iter().map(|known| &known.kept).chain([&kept])))?;
        book.push(Known { kept, used: None });
        Ok((told(&book[book.len() - 1]), text))
    }

    /// All tokens, the oldest first.
    pub(super) fn list(&self) -> Vec<Token> {
        self.locked().iter().map(told).collect()
    }

    /// Ends the token with this id or name, from this moment on.
    pub(super) fn revoke(&self, token: &str) -> Result<(), TokenRefused> {
        let mut book = self.locked();
        let is_meant = |known: &Known| known.kept.name == token || known.kept.id.to_string() == token;
        let at = book.iter().position(is_meant).ok_or_else(|| TokenRefused::Unknown(token.into()))?;
        let rest = book.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, known)| &known.kept);
        // Nobody may believe it gone while the next start would know it again.
        (self.keep)(&encode(rest))?;
        book.remove(at);
        Ok(())
    }

    /// Id and scope of the token with this text, which counts as used now; none if it is none of this drive.
    pub(super) fn check(&self, text: &[u8], workspace: &str) -> Option<(u64, Scope)> {
        let hash = hash_of(std::str::from_utf8(text).ok()?);
        let mut book = self.locked();
        let known = book.iter_mut().find(|known| is_same(&known.kept.hash, &hash))?;
        if known.kept.workspace != workspace {
            return None;
        }
        known.used = Some(SystemTime::now());
        Some((known.kept.id, known.kept.scope))
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Known>> {
        // A list that changes in single steps, after the file did: a panic elsewhere left nothing half done.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(known: &Known) -> Token {
    Token {
        id: known.kept.id,
        name: known.kept.name.clone(),
        scope: known.kept.scope,
        workspace: known.kept.workspace.clone(),
        created: known.kept.created.clone(),
        used: known.used.map(moment::system_text),
    }
}

pub(super) fn encode<'a>(tokens: impl Iterator<Item = &'a Kept>) -> Vec<u8> {
    let file = File { format: FORMAT.into(), version: VERSION, tokens: tokens.cloned().collect() };
    let mut text = serde_json::to_vec_pretty(&file).expect("plain fields have a JSON");
    text.push(b'\n');
    text
}

pub(super) fn decode(file: &[u8]) -> Result<Vec<Kept>, TokensError> {
    let garbage = |why: String| TokensError::Garbage(why);
    if file.len() > MAX_FILE_BYTES {
        return Err(garbage("too long".into()));
    }
    let head: Head = serde_json::from_slice(file).map_err(|error| garbage(error.to_string()))?;
    if head.format != FORMAT {
        return Err(garbage(format!("it is \"{}\"", head.format)));
    }
    if head.version != VERSION {
        return Err(TokensError::Newer(head.version));
    }
    let file: File = serde_json::from_slice(file).map_err(|error| garbage(error.to_string()))?;
    if file.tokens.len() > MAX_TOKENS || file.tokens.iter().any(|kept| kept.id == u64::MAX) {
        return Err(garbage("too many tokens".into()));
    }
    Ok(file.tokens)
}

/// A hash as text.
mod hex {
    use data_encoding::HEXLOWER;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&HEXLOWER.encode(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|_| D::Error::custom("a hash has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    type Disk = Arc<Mutex<Vec<u8>>>;

    fn random(bytes: &mut [u8]) {
        use std::sync::atomic::{AtomicU8, Ordering};
        static TURN: AtomicU8 = AtomicU8::new(1);
        bytes.fill(TURN.fetch_add(1, Ordering::Relaxed));
    }

    fn keep(disk: &Disk) -> Keep {
        let disk = Arc::clone(disk);
        Box::new(move |bytes| {
            *disk.lock().unwrap() = bytes.to_vec();
            Ok(())
        })
    }

    #[test]
    fn a_token_is_known_until_it_is_revoked_over_a_restart_too() {
        let disk = Disk::default();
        let tokens = Tokens::new(random, keep(&disk));
        let (made, text) = tokens.create("backup", Scope::Write, "W").unwrap();
        assert_eq!(tokens.check(text.as_str().as_bytes(), "W"), Some((made.id, Scope::Write)));
        assert_eq!(tokens.check(text.as_str().as_bytes(), "OTHER"), None, "another drive");
        assert_eq!(tokens.check(b"0", "W"), None);
        let file = disk.lock().unwrap().clone();
        assert!(!String::from_utf8_lossy(&file).contains(text.as_str()), "only the hash is kept");
        let again = Tokens::open(&file, random, keep(&disk)).unwrap();
        assert!(again.check(text.as_str().as_bytes(), "W").is_some());
        assert!(again.list()[0].used.is_some());
        again.revoke("backup").unwrap();
        assert!(again.check(text.as_str().as_bytes(), "W").is_none());
        assert!(matches!(again.revoke("backup"), Err(TokenRefused::Unknown(_))));
        let file = disk.lock().unwrap().clone();
        assert!(Tokens::open(&file, random, keep(&disk)).unwrap().list().is_empty());
    }

    #[test]
    fn what_is_not_on_disk_is_not_believed() {
        let broken = || -> Keep { Box::new(|_| Err(io::ErrorKind::StorageFull.into())) };
        let tokens = Tokens::new(random, broken());
        assert!(matches!(tokens.create("a", Scope::Read, "W"), Err(TokenRefused::Io(_))));
        assert!(tokens.list().is_empty());
        let disk = Disk::default();
        Tokens::new(random, keep(&disk)).create("a", Scope::Read, "W").unwrap();
        let file = disk.lock().unwrap().clone();
        let tokens = Tokens::open(&file, random, broken()).unwrap();
        assert!(tokens.revoke("a").is_err());
        assert_eq!(tokens.list().len(), 1, "it still works, and is told");
    }

    #[test]
    fn names_and_numbers_are_bounded() {
        let tokens = Tokens::new(random, keep(&Disk::default()));
        for wrong in ["", "a\nb", &"a".repeat(MAX_NAME_BYTES + 1)] {
            assert!(matches!(tokens.create(wrong, Scope::Read, "W"), Err(TokenRefused::Name)));
        }
        for n in 0..MAX_TOKENS {
            tokens.create(&format!("token {n}"), Scope::Read, "W").unwrap();
        }
        assert!(matches!(tokens.create("more", Scope::Read, "W"), Err(TokenRefused::TooMany)));
        tokens.revoke("1").unwrap();
        assert!(matches!(tokens.create("token 5", Scope::Read, "W"), Err(TokenRefused::Taken)));
    }

    #[test]
    fn the_bytes_of_the_file_stay_what_they_are() {
        let kept = Kept {
            id: 7,
            name: "backup".into(),
            scope: Scope::Write,
            workspace: "W1".into(),
            created: "2026-11-27T08:00:00Z".into(),
            hash: [0xa7; 32],
        };
        let golden = format!(
            "{{\n  \"format\": \"peerdrive tokens\",\n  \"version\": 1,\n  \"tokens\": [\n    {{\n      \"id\": 7,\n      \
             \"name\": \"backup\",\n      \"scope\": \"write\",\n      \"workspace\": \"W1\",\n      \
             \"created\": \"2026-11-27T08:00:00Z\",\n      \"hash\": \"{}\"\n    }}\n  ]\n}}\n",
            "a7".repeat(32)
        );
        assert_eq!(String::from_utf8(encode([&kept].into_iter())).unwrap(), golden);
        assert_eq!(encode(decode(golden.as_bytes()).unwrap().iter()), golden.as_bytes());
        let newer = golden.replace("\"version\": 1", "\"version\": 2");
        assert!(matches!(decode(newer.as_bytes()), Err(TokensError::Newer(2))));
        for garbage in
            ["", "{}", "[]", &golden.replace("tokens\",", "cookies\","), &golden.replace("a7a7", "a7")]
        {
            assert!(matches!(decode(garbage.as_bytes()), Err(TokensError::Garbage(_))), "{garbage}");
        }
    }
}
