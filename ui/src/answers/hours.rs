//! The JSON of `/hours`: other limits at some hours of the week.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A day on which a span begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// From Monday on.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }
}

/// Hours of the week, in local time, and the limits that hold in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HourSpan {
    /// The days on which it begins, one at least; every day when it is left out.
    #[serde(default = "Weekday::all")]
    pub days: Vec<Weekday>,
    /// From when on, `08:00`.
    pub from: String,
    /// Until when, `18:00`; at most `from`: it ends on the next day.
    pub to: String,
    /// Bytes per second sent to others at most; 0: no limit; none: as at other hours.
    #[serde(default)]
    pub up: Option<u64>,
    /// Bytes per second received from others at most; 0: no limit; none: as at other hours.
    #[serde(default)]
    pub down: Option<u64>,
}

/// `hours`: all spans there are to be, in the order in which they are tried: the first that fits counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoursChange {
    /// 64 at most; none: the usual limits hold at all hours.
    pub hours: Vec<HourSpan>,
}
