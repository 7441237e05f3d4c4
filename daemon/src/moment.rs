//! Times of the system, as programs write them.

use std::time::SystemTime;

use vfs::Time;

/// RFC 3339, UTC. What lies before 1970 is shown as 1970.
pub fn to_text(time: SystemTime) -> String {
    let after = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    ui::moment::to_text(Time { secs: after.as_secs().cast_signed(), nanos: after.subsec_nanos() })
}
