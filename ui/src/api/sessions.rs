//! Who is signed in at the panel.
//!
//! ```text
//! daemon ─ new_link ─▶ http://…/#TOKEN ─▶ the page posts TOKEN, once ─▶ open ─▶ cookie ─▶ check, at every request
//! ```
//!
//! A link works once and for an hour. A session ends after a day without a request, after a week at most, by signing out, or with the
//! daemon. Of both only hashes are kept: who reads the daemon's memory finds nothing that opens the panel.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::guard::ApiToken;
use crate::answers::{Scope, Session};
use crate::moment;

/// How long a link can be used.
pub(super) const LINK_LIFE: Duration = Duration::from_secs(3600);
/// Links that can be used at a time; the oldest is given up for a new one.
const MAX_LINKS: usize = 8;
/// Wrong passphrases after which a link is worth nothing.
const MAX_MISSES: u8 = 5;
/// Browsers signed in at a time; the one that was quiet longest is signed out for a new one.
const MAX_SESSIONS: usize = 16;
/// A session nobody used for so long has ended.
const IDLE_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Longest life of a session.
pub(super) const SESSION_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Bytes of a browser's name for itself that are kept.
const MAX_BROWSER_BYTES: usize = 200;

/// Links and sessions of one daemon. They outlive a drive that is closed to join another one.
pub struct Sessions {
    random: fn(&mut [u8]),
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    links: Vec<Link>,
    sessions: Vec<Open>,
    last_id: u64,
}

struct Link {
    hash: [u8; 32],
    scope: Scope,
    until: Instant,
    /// Wrong passphrases that came with it.
    misses: u8,
}

struct Open {
    id: u64,
    hash: [u8; 32],
    scope: Scope,
    browser: String,
    opened: (Instant, SystemTime),
    used: (Instant, SystemTime),
}

impl Open {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.used.0) >= IDLE_LIFE || now.duration_since(self.opened.0) >= SESSION_LIFE
    }
}

impl Sessions {
    /// Nobody is signed in. `random` fills a buffer with bytes that nobody can guess.
    #[must_use]
    pub fn new(random: fn(&mut [u8])) -> Self {
        Self { random, book: Mutex::default() }
    }

    /// A secret that opens one session, which may so much.
    fn new_link(&self, scope: Scope) -> ApiToken {
        let (token, hash) = self.secret();
        let mut book = self.current(Instant::now());
        if book.links.len() == MAX_LINKS {
            book.links.remove(0);
        }
        book.links.push(Link { hash, scope, until: Instant::now() + LINK_LIFE, misses: 0 });
        token
    }

    /// The address that opens the panel at `address` once. A fragment is sent to nobody and stands in no log.
    #[must_use]
    pub fn new_url(&self, address: SocketAddr, scope: Scope) -> Zeroizing<String> {
        Zeroizing::new(format!("http://{address}/#link={}", self.new_link(scope).as_str()))
    }

    /// Whether it is a link that was not used yet.
    pub(super) fn is_link(&self, link: &str) -> bool {
        let hash = hash_of(link);
        self.current(Instant::now()).links.iter().any(|link| is_same(&link.hash, &hash))
    }

    /// A wrong passphrase came with this link.
    pub(super) fn missed(&self, link: &str) {
        let hash = hash_of(link);
        let mut book = self.current(Instant::now());
        if let Some(link) = book.links.iter_mut().find(|link| is_same(&link.hash, &hash)) {
            link.misses += 1;
        }
        book.links.retain(|link| link.misses < MAX_MISSES);
    }

    /// Uses a link up. The secret of the new session; none if it is no link, or was one.
    pub(super) fn open(&self, link: &str, browser: &str) -> Option<ApiToken> {
        let now = (Instant::now(), SystemTime::now());
        let hash = hash_of(link);
        let mut book = self.current(now.0);
        let at = book.links.iter().position(|link| is_same(&link.hash, &hash))?;
        let scope = book.links.remove(at).scope;
        if book.sessions.len() == MAX_SESSIONS {
            let quiet = book.sessions.iter().enumerate().min_by_key(|(_, open)| open.used.0);
            let quiet = quiet.map_or(0, |(at, _)| at);
            book.sessions.remove(quiet);
        }
        let (token, hash) = self.secret();
        book.last_id += 1;
        let mut kept = browser.len().min(MAX_BROWSER_BYTES);
        while !browser.is_char_boundary(kept) {
            kept -= 1;
        }
        let browser = browser[..kept].to_string();
        let id = book.last_id;
        book.sessions.push(Open { id, hash, scope, browser, opened: now, used: now });
        Some(token)
    }

    /// The session that this secret belongs to, which counts as used now, and what it may.
    pub(super) fn check(&self, secret: &str) -> Option<(u64, Scope)> {
        let now = Instant::now();
        let hash = hash_of(secret);
        let mut book = self.current(now);
        let open = book.sessions.iter_mut().find(|open| is_same(&open.hash, &hash))?;
        open.used = (now, SystemTime::now());
        Some((open.id, open.scope))
    }

    /// Signs a session out; whether there was one.
    pub(super) fn close(&self, id: u64) -> bool {
        let mut book = self.current(Instant::now());
        let before = book.sessions.len();
        book.sessions.retain(|open| open.id != id);
        book.sessions.len() < before
    }

    /// All sessions.
    pub(super) fn list(&self, current: Option<u64>) -> Vec<Session> {
        let book = self.current(Instant::now());
        let told = book.sessions.iter().map(|open| Session {
            id: open.id,
            browser: open.browser.clone(),
            opened: moment::system_text(open.opened.1),
            used: moment::system_text(open.used.1),
            current: Some(open.id) == current,
            scope: open.scope,
        });
        told.collect()
    }

    fn secret(&self) -> (ApiToken, [u8; 32]) {
        let mut bytes = Zeroizing::new([0; 32]);
        (self.random)(bytes.as_mut());
        let token = ApiToken::from_random(&bytes);
        let hash = hash_of(token.as_str());
        (token, hash)
    }

    /// The book, without what is over.
    fn current(&self, now: Instant) -> MutexGuard<'_, Book> {
        // Plain data, changed in single steps: a panic elsewhere left nothing half done.
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.links.retain(|link| link.until > now);
        book.sessions.retain(|open| !open.is_over(now));
        book
    }
}

pub(super) fn hash_of(secret: &str) -> [u8; 32] {
    blake3::hash(secret.as_bytes()).into()
}

pub(super) fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        use std::sync::atomic::{AtomicU8, Ordering};
        static TURN: AtomicU8 = AtomicU8::new(1);
        Sessions::new(|bytes| bytes.fill(TURN.fetch_add(1, Ordering::Relaxed)))
    }

    #[test]
    fn a_link_opens_one_session_once() {
        let sessions = sessions();
        let link = sessions.new_link(Scope::Admin);
        let secret = sessions.open(link.as_str(), "browser").unwrap();
        assert!(sessions.open(link.as_str(), "browser").is_none(), "it was used");
        assert!(sessions.check(link.as_str()).is_none(), "a link is no session");
        let (id, scope) = sessions.check(secret.as_str()).unwrap();
        assert_eq!(scope, Scope::Admin);
        assert!(sessions.list(Some(id))[0].current);
        assert!(sessions.close(id) && !sessions.close(id));
        assert!(sessions.check(secret.as_str()).is_none());
    }

    #[test]
    fn links_and_sessions_are_bounded() {
        let sessions = sessions();
        let first = sessions.new_link(Scope::Admin);
        for _ in 0..MAX_LINKS {
            let _ = sessions.new_link(Scope::Admin);
        }
        assert!(sessions.open(first.as_str(), "").is_none(), "the oldest link was given up");
        let long = "ä".repeat(MAX_BROWSER_BYTES);
        for _ in 0..=MAX_SESSIONS {
            assert!(sessions.open(sessions.new_link(Scope::Admin).as_str(), &long).is_some());
        }
        let open = sessions.list(None);
        assert_eq!(open.len(), MAX_SESSIONS);
        assert!(open.iter().all(|open| open.browser.len() <= MAX_BROWSER_BYTES));
    }

    #[test]
    fn what_is_over_opens_nothing() {
        let sessions = sessions();
        let link = sessions.new_link(Scope::Admin);
        let later = Instant::now() + LINK_LIFE;
        assert!(sessions.current(later).links.is_empty());
        let used = sessions.new_link(Scope::Admin);
        drop(link);
        sessions.open(used.as_str(), "").unwrap();
        assert_eq!(sessions.current(Instant::now() + IDLE_LIFE - Duration::from_secs(60)).sessions.len(), 1);
        assert!(sessions.current(Instant::now() + IDLE_LIFE).sessions.is_empty());
    }
}
