//! Roles and what each may do to the roster.
//!
//! | who | may |
//! |---|---|
//! | owner | everything |
//! | admin | add, change and remove writers, readers and hosts and their devices; hand out keys; decide about copies |
//! | writer | vouch for what is here of the log of a device that was removed or may not write any more |
//! | any member | add and remove own devices; leave |

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a member is. Ordered: the later, the more power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Stores ciphertext and holds no keys.
    Host,
    /// Reads.
    Reader,
    /// Reads and writes.
    Writer,
    /// Writes, and looks after writers, readers and hosts.
    Admin,
    /// Does everything.
    Owner,
}

impl Role {
    /// All roles, least power first.
    pub const ALL: [Self; 5] = [Self::Host, Self::Reader, Self::Writer, Self::Admin, Self::Owner];

    /// Its name, as people type it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Whether realm keys are sealed to it.
    pub const fn holds_keys(self) -> bool {
        !matches!(self, Self::Host)
    }

    /// Whether its edits are applied.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Writer | Self::Admin | Self::Owner)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.word() == word).ok_or(UnknownRole)
    }
}

/// A word that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role: use owner, admin, writer, reader or host")]
pub struct UnknownRole;

/// The power a record takes; what its author must at least be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Nothing,
    Member,
    Writer,
    Admin,
    Owner,
}

impl Need {
    /// To act on somebody who is (or becomes) this.
    pub fn over(role: Option<Role>) -> Self {
        if role >= Some(Role::Admin) { Self::Owner } else { Self::Admin }
    }

    pub fn met_by(self, role: Option<Role>) -> bool {
        let power = match role {
            None => Self::Nothing,
            Some(Role::Host | Role::Reader) => Self::Member,
            Some(Role::Writer) => Self::Writer,
            Some(Role::Admin) => Self::Admin,
            Some(Role::Owner) => Self::Owner,
        };
        power >= self
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing | Self::Member => "member",
            Self::Writer => "writer",
            Self::Admin => "admin or owner",
            Self::Owner => "owner",
        }
    }
}
