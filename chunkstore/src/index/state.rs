//! What is known of a chunk beside its place.

/// State bits of a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkState(pub u32);

impl ChunkState {
    /// Placement names this computer as a host of it.
    pub const PLACED: Self = Self(1);
    /// The user wants it here.
    pub const PINNED: Self = Self(1 << 1);
    /// Here only because it was read: may be given up when room is needed.
    pub const CACHED: Self = Self(1 << 2);
    /// Not known to be on enough hosts: must not be given up.
    pub const UNREPLICATED: Self = Self(1 << 3);
    /// Its bytes did not verify: it is not served, and the next copy that comes along replaces it.
    pub const DAMAGED: Self = Self(1 << 4);
    /// Nothing named it when a sweep looked, or somebody who knows said so: it is given up if that is still so a grace later.
    pub const DOOMED: Self = Self(1 << 5);

    /// Whether all these bits are set.
    #[must_use]
    pub const fn has(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// Whether one of these bits is set.
    #[must_use]
    pub const fn has_any(self, bits: Self) -> bool {
        self.0 & bits.0 != 0
    }

    /// Here as a copy of convenience and for no other reason.
    #[must_use]
    pub const fn is_evictable(self) -> bool {
        self.has(Self::CACHED) && !self.has_any(Self(Self::PLACED.0 | Self::PINNED.0 | Self::UNREPLICATED.0))
    }

    /// With these bits as well.
    #[must_use]
    pub const fn with(self, bits: Self) -> Self {
        Self(self.0 | bits.0)
    }

    /// Without these bits.
    #[must_use]
    pub const fn without(self, bits: Self) -> Self {
        Self(self.0 & !bits.0)
    }
}
