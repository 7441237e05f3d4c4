//! A version's name as people type it.
//!
//! ```text
//! 0194f0c2a8c10003-5b7e19aa02c4d811     clock (16 hex digits) - device tag (16 hex digits)
//! ```

use ledger::identity::DeviceTag;
use ledger::{Stamp, VersionId};

/// The text form.
pub(crate) fn to_text(version: VersionId) -> String {
    format!("{:016x}-{:016x}", version.0.clock, version.0.device.0)
}

/// Whether this is the text form of one, of whatever file: those of lines of the log are the same.
#[must_use]
pub fn is_version_id(text: &str) -> bool {
    from_text(text).is_some()
}

/// Reads the text form.
pub(crate) fn from_text(text: &str) -> Option<VersionId> {
    let (clock, device) = text.trim().split_once('-')?;
    if clock.len() != 16 || device.len() != 16 {
        return None;
    }
    let clock = u64::from_str_radix(clock, 16).ok()?;
    let device = DeviceTag(u64::from_str_radix(device, 16).ok()?);
    Some(VersionId(Stamp { clock, device }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_it_was_shown() {
        let version =
            VersionId(Stamp { clock: 0x0194_f0c2_a8c1_0003, device: DeviceTag(0x5b7e_19aa_02c4_d811) });
        assert_eq!(to_text(version), "0194f0c2a8c10003-5b7e19aa02c4d811");
        assert_eq!(from_text(&to_text(version)), Some(version));
        for wrong in ["", "-", "0194f0c2a8c10003", "xx94f0c2a8c10003-5b7e19aa02c4d811", "1-2"] {
            assert_eq!(from_text(wrong), None);
        }
    }
}
