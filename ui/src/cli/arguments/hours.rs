//! `hours`: other limits at some hours.

use clap::{Args, Subcommand};

use crate::units::ByteRate;
use crate::weekdays;

/// `hours`.
#[derive(Debug, Subcommand)]
pub enum HoursCommand {
    /// Add a span of hours, below those that are there
    Add(AddHours),
    /// Take spans away
    Remove {
        /// Their numbers, as `peerdrive hours` shows them
        #[arg(required = true, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
        numbers: Vec<u64>,
    },
    /// Take all of them away
    Clear,
}

/// `hours add`.
#[derive(Debug, Args)]
pub struct AddHours {
    /// Days on which it begins, like mon-fri or sat,sun [default: every day]
    #[arg(long, value_name = "DAYS", default_value = "mon-sun", hide_default_value = true, value_parser = weekdays::read)]
    pub days: u8,
    /// From when on, like 08:00, local time
    #[arg(long, value_name = "HH:MM")]
    pub from: String,
    /// Until when; at or before --from: on the next day
    #[arg(long, value_name = "HH:MM")]
    pub to: String,
    /// Send to others at most this much per second, or `off` [default: as at other hours]
    #[arg(long, value_name = "RATE", required_unless_present = "down")]
    pub up: Option<ByteRate>,
    /// Receive from others at most this much per second, or `off` [default: as at other hours]
    #[arg(long, value_name = "RATE")]
    pub down: Option<ByteRate>,
    /// Put it above all others, so that it counts where they overlap
    #[arg(long)]
    pub first: bool,
}
