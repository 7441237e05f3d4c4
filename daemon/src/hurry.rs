//! Garbage waits for days, and so that a test can see it go, the waits can be cut: by a variable of the environment, which is no
//! setting, and of which the log and `doctor` warn. The graces protect what was written elsewhere and is not known here yet.

use std::time::Duration;

use ui::answers::Finding;

/// Milliseconds to which every pause and grace of giving up garbage is cut.
const VARIABLE: &str = "PEERDRIVE_TEST_GARBAGE_MS";
/// No pause is cut below this, or the disk would be busy with nothing else.
const LEAST: Duration = Duration::from_millis(100);

/// To what the pauses and graces of garbage are cut; none outside tests.
pub fn garbage_pause() -> Option<Duration> {
    std::env::var(VARIABLE).ok().and_then(|text| parse(&text))
}

fn parse(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis).map(|pause| pause.max(LEAST))
}

/// That they are, for `doctor`.
pub fn examine() -> Option<Finding> {
    garbage_pause().map(|pause| {
        Finding::warning(
            format!("{VARIABLE} is set: what nothing names is given up after {pause:?} in place of days"),
            "start PeerDrive without it: what another computer wrote and this one does not know yet may be given up",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_cuts_and_not_below_the_least() {
        let pauses = ["3000", "0", "", "soon", "-1"].map(parse);
        assert_eq!(pauses, [Some(Duration::from_secs(3)), Some(LEAST), None, None, None]);
    }
}
