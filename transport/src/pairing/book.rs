//! The open invitations: each for a while, for one use, and for three wrong tries.
//!
//! ```text
//!  add ─▶ open ── right ──▶ used: what it grants is taken once
//!              ── third wrong try, expiry, cancel ──▶ gone
//! ```
//!
//! Pure: the time is an argument, in seconds since 1970.

use super::code::CODE_NUMBER_MAX;
use super::secret::{Secret, Selector};

/// Wrong tries that end an invitation.
pub const WRONG_TRIES_MAX: u8 = 3;
/// Invitations open or used at once.
pub const INVITATIONS_MAX: usize = 64;

/// An invitation's number in its book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvitationId(pub u64);

/// An invitation, and what it grants to who accepts it.
#[derive(Clone)]
pub struct Invitation<T> {
    /// What the other side must know.
    pub secret: Secret,
    /// When it ends, in seconds since 1970.
    pub expires_unix_s: u64,
    /// What it grants; nothing to this crate.
    pub grants: T,
}

/// The book is full, or has an open invitation with the same selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are too many open invitations; cancel one or wait until it ends")]
pub struct BookFull;

struct Entry<T> {
    id: InvitationId,
    invitation: Invitation<T>,
    wrong_tries: u8,
    used: bool,
}

/// Open invitations.
pub struct Book<T> {
    entries: Vec<Entry<T>>,
    next: u64,
}

impl<T> Default for Book<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), next: 1 }
    }
}

impl<T> Book<T> {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The smallest number no code has: short to say.
    #[must_use]
    pub fn free_number(&self) -> u16 {
        let taken = |number: &u16| self.entry(Selector::Code(*number)).is_some();
        (1..=CODE_NUMBER_MAX).find(|number| !taken(number)).unwrap_or(CODE_NUMBER_MAX)
    }

    /// Opens an invitation.
    ///
    /// # Errors
    /// If there are [`INVITATIONS_MAX`], or an open one has the same selector.
    pub fn add(&mut self, invitation: Invitation<T>, now_unix_s: u64) -> Result<InvitationId, BookFull> {
        self.expire(now_unix_s);
        if self.entries.len() >= INVITATIONS_MAX || self.entry(invitation.secret.selector()).is_some() {
            return Err(BookFull);
        }
        let id = InvitationId(self.next);
        self.next += 1;
        self.entries.push(Entry { id, invitation, wrong_tries: 0, used: false });
        Ok(id)
    }

    /// Drops what has ended.
    pub fn expire(&mut self, now_unix_s: u64) {
        self.entries.retain(|entry| now_unix_s < entry.invitation.expires_unix_s);
    }

    /// Ends an invitation; false if there is none of that id.
    pub fn cancel(&mut self, id: InvitationId) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.id != id);
        self.entries.len() < before
    }

    /// Whether any invitation is open.
    #[must_use]
    pub fn is_open(&self, now_unix_s: u64) -> bool {
        self.open(now_unix_s).next().is_some()
    }

    /// The open invitations, oldest first.
    pub fn open(&self, now_unix_s: u64) -> impl Iterator<Item = (InvitationId, &Invitation<T>)> {
        let open = self.entries.iter().filter(move |entry| entry.is_open(now_unix_s));
        open.map(|entry| (entry.id, &entry.invitation))
    }

    /// The secret of an open invitation: what [`Invitations::secret`](super::Invitations::secret) answers.
    #[must_use]
    pub fn secret(&self, selector: Selector, now_unix_s: u64) -> Option<Secret> {
        let entry = self.entry(selector).filter(|entry| entry.is_open(now_unix_s))?;
        Some(entry.invitation.secret.clone())
    }

    /// Notes a try: what [`Invitations::tried`](super::Invitations::tried) tells. A right one uses the invitation up.
    pub fn tried(&mut self, selector: Selector, right: bool) {
        let found = self.entries.iter_mut().find(|entry| entry.invitation.secret.selector() == selector);
        let Some(entry) = found else { return };
        if right {
            entry.used = true;
        } else {
            entry.wrong_tries = entry.wrong_tries.saturating_add(1);
        }
        let id = entry.id;
        if !right && entry.wrong_tries >= WRONG_TRIES_MAX && !entry.used {
            self.cancel(id);
        }
    }

    /// Takes out an invitation that was accepted, with what it grants.
    pub fn take_used(&mut self, selector: Selector) -> Option<(InvitationId, Invitation<T>)> {
        let used = |entry: &Entry<T>| entry.used && entry.invitation.secret.selector() == selector;
        let at = self.entries.iter().position(used)?;
        let entry = self.entries.remove(at);
        Some((entry.id, entry.invitation))
    }

    fn entry(&self, selector: Selector) -> Option<&Entry<T>> {
        self.entries.iter().find(|entry| entry.invitation.secret.selector() == selector)
    }
}

impl<T> Entry<T> {
    fn is_open(&self, now_unix_s: u64) -> bool {
        !self.used && now_unix_s < self.invitation.expires_unix_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(code: &str, expires_unix_s: u64) -> Invitation<&'static str> {
        Invitation { secret: Secret::Code(code.parse().unwrap()), expires_unix_s, grants: "writer" }
    }

    fn book() -> (Book<&'static str>, Selector) {
        let mut book = Book::new();
        book.add(invitation("7-amber-falcon", 100), 0).unwrap();
        (book, Selector::Code(7))
    }

    #[test]
    fn the_third_wrong_try_ends_it() {
        let (mut book, selector) = book();
        for _ in 0..WRONG_TRIES_MAX {
            assert!(book.secret(selector, 0).is_some());
            book.tried(selector, false);
        }
        assert!(book.secret(selector, 0).is_none());
        assert!(!book.is_open(0));
    }

    #[test]
    fn it_is_used_once_and_what_it_grants_taken_once() {
        let (mut book, selector) = book();
        assert!(book.take_used(selector).is_none());
        book.tried(selector, true);
        assert!(book.secret(selector, 0).is_none());
        // Late wrong tries must not take from the accepted one what it was granted.
        for _ in 0..WRONG_TRIES_MAX {
            book.tried(selector, false);
        }
        assert_eq!(book.take_used(selector).unwrap().1.grants, "writer");
        assert!(book.take_used(selector).is_none());
    }

    #[test]
    fn it_ends_at_its_time_and_its_number_is_free_again() {
        let (mut book, selector) = book();
        assert!(book.secret(selector, 99).is_some());
        assert!(book.secret(selector, 100).is_none());
        assert_eq!(book.free_number(), 1);
        assert_eq!(book.add(invitation("7-maple-falcon", 200), 50), Err(BookFull));
        book.add(invitation("7-maple-falcon", 200), 100).unwrap();
        book.add(invitation("1-maple-falcon", 200), 100).unwrap();
        assert_eq!(book.free_number(), 2);
    }

    #[test]
    fn the_book_is_bounded() {
        let mut book = Book::new();
        let mut add = |number: usize| book.add(invitation(&format!("{number}-amber-falcon"), 100), 0);
        let ids: Vec<_> = (1..=INVITATIONS_MAX).map(|number| add(number).unwrap()).collect();
        assert_eq!(add(999), Err(BookFull));
        assert!(book.cancel(ids[0]));
        assert!(!book.cancel(ids[0]));
        assert!(book.add(invitation("999-amber-falcon", 100), 0).is_ok());
    }
}
