//! Times of the system, as programs write them.

use std::time::SystemTime;

use vfs::Time;

/// RFC 3339, UTC. What lies before 1970 is shown as 1970.
pub fn to_text(time: SystemTime) -> String {
    let after = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    ui::moment::to_text(Time { secs: after.as_secs().cast_signed(), nanos: after.subsec_nanos() })
}

/// Milliseconds since 1970; what lies before is 1970.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
