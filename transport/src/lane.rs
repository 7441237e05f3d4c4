//! The four lanes of a link, and the bytes they are made of.
//!
//! ```text
//!  stream = "PDln" ‖ version 1 ‖ lane ‖ frame*          frame = length u32 big-endian ‖ body
//! ```
//!
//! A lane is one unidirectional QUIC stream per direction that lives as long as the link. What is sent on a lane
//! arrives in order; between lanes there is none, and the earlier lane goes first.

/// First bytes of a lane.
pub const LANE_MAGIC: [u8; 4] = *b"PDln";
/// Version of the framing.
pub const LANE_VERSION: u8 = 1;
/// Bytes before the first frame.
pub const LANE_HEADER_BYTES: usize = 6;
/// Bytes before the body of a frame.
pub const FRAME_HEADER_BYTES: usize = 4;
/// What a waiting frame counts beside its body, so that empty ones are bounded too.
pub const FRAME_OVERHEAD_BYTES: usize = 64;

/// How urgent a frame is. Earlier lanes overtake later ones.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Who is there, what they have, what they want.
    Control = 0,
    /// Transactions of the logs.
    Log = 1,
    /// Chunks somebody waits for.
    Urgent = 2,
    /// Chunks nobody waits for.
    Bulk = 3,
}

/// Lanes of a link, in the order of their priority.
pub const LANES: [Lane; 4] = [Lane::Control, Lane::Log, Lane::Urgent, Lane::Bulk];

impl Lane {
    /// Largest body of a frame in bytes.
    #[must_use]
    pub const fn frame_max_bytes(self) -> usize {
        match self {
            Self::Control => 256 << 10,
            Self::Log => 2 << 20,
            Self::Urgent | Self::Bulk => (4 << 20) + (64 << 10),
        }
    }

    /// Bytes of frames that may wait on one side of the link: two of the largest.
    #[must_use]
    pub const fn waiting_max_bytes(self) -> usize {
        2 * (self.frame_max_bytes() + FRAME_OVERHEAD_BYTES)
    }

    /// Whether the lane waits for the rate limits; the others only count.
    #[must_use]
    pub const fn is_paced(self) -> bool {
        matches!(self, Self::Log | Self::Bulk)
    }

    /// Greater goes first.
    pub(crate) const fn quic_priority(self) -> i32 {
        3 - self as i32
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    pub(crate) const fn header(self) -> [u8; LANE_HEADER_BYTES] {
        let [a, b, c, d] = LANE_MAGIC;
        [a, b, c, d, LANE_VERSION, self as u8]
    }

    pub(crate) fn of_header(header: &[u8; LANE_HEADER_BYTES]) -> Result<Self, Violation> {
        if header[..4] != LANE_MAGIC {
            return Err(Violation::LaneMagic);
        }
        if header[4] != LANE_VERSION {
            return Err(Violation::LaneVersion);
        }
        LANES.get(usize::from(header[5])).copied().ok_or(Violation::LaneUnknown)
    }

    /// The length of a body, if the lane may carry so much.
    pub(crate) fn checked_length(self, header: [u8; FRAME_HEADER_BYTES]) -> Result<usize, Violation> {
        let length = u32::from_be_bytes(header) as usize;
        if length > self.frame_max_bytes() { Err(Violation::FrameTooLarge) } else { Ok(length) }
    }
}

/// What a peer did that the framing does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    LaneMagic,
    LaneVersion,
    LaneUnknown,
    LaneTwice,
    FrameTooLarge,
}

impl Violation {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::LaneMagic => "a stream does not begin as a lane",
            Self::LaneVersion => "a lane has an unknown version",
            Self::LaneUnknown => "a stream is of an unknown lane",
            Self::LaneTwice => "a lane was opened twice",
            Self::FrameTooLarge => "a frame is larger than its lane allows",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn golden_headers() {
        assert_eq!(&Lane::Control.header(), b"PDln\x01\x00");
        assert_eq!(&Lane::Log.header(), b"PDln\x01\x01");
        assert_eq!(&Lane::Urgent.header(), b"PDln\x01\x02");
        assert_eq!(&Lane::Bulk.header(), b"PDln\x01\x03");
    }

    #[test]
    fn a_length_past_the_lanes_limit_is_refused() {
        for lane in LANES {
            let max = u32::try_from(lane.frame_max_bytes()).unwrap();
            assert_eq!(lane.checked_length(max.to_be_bytes()), Ok(lane.frame_max_bytes()));
            assert_eq!(lane.checked_length((max + 1).to_be_bytes()), Err(Violation::FrameTooLarge));
        }
    }

    proptest! {
        #[test]
        fn any_header_is_a_lane_or_refused(header: [u8; LANE_HEADER_BYTES]) {
            if let Ok(lane) = Lane::of_header(&header) {
                prop_assert_eq!(lane.header(), header);
            }
        }
    }
}
