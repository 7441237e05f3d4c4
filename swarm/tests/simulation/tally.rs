//! What a world lived through, in numbers.

use std::fmt;
use std::ops::AddAssign;

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counts of one world, or of many.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Tally {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl AddAssign for Tally {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl fmt::Display for Tally {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(to, "{:>16} {}", self.$name, stringify!($name).replace('_', " "))?;)*
                Ok(())
            }
        }
    };
}

tally! {
    seeds,
    hosts,
    virtual_minutes,
    events,
    edits,
    chunks,
    /// Over all wires.
    bytes_sent,
    frames_lost,
    frames_doubled,
    crashes,
    splits,
    cables_pulled,
    caches_dropped,
    /// Noticed at once.
    chunks_gone_bad,
    /// Noticed when somebody reads them, or scrubs.
    chunks_rotten_in_silence,
    disks_full,
    disks_wiped,
    clocks_a_year_back,
    clocks_a_little_off,
    joined,
    gave_no_room_any_more_and_left,
    removed,
    /// By one who had seen less of its log than another member.
    removed_seen_unequally,
    died_for_good,
    decisions_for_copies,
    logs_cleaned,
    /// On a computer that died or was removed, nowhere else, and never called safe.
    chunks_lost_before_they_were_safe,
}
