//! Simulated groups for hours: `swarm/tests/simulation`, with seeds that no test run tries.

use anyhow::{Context, Result, bail, ensure};

use crate::run::{cargo, run, say, step};

/// More than any computer gets through: so no seed comes twice.
const SEEDS_PER_SECOND: u64 = 1000;
const DEFAULT_HOURS: f64 = 1.0;
/// A week.
const HOURS_MAX: f64 = 168.0;

/// `[--hours H]`: new seeds until the time is over, then counts. A seed that fails is told with the command that replays it. It is
/// not the release build: a sum that overflows is found too.
pub fn soak(args: &[String]) -> Result<()> {
    let hours = match args {
        [] => DEFAULT_HOURS,
        [flag, hours] if flag == "--hours" => {
            hours.parse().with_context(|| format!("\"{hours}\" is no number of hours"))?
        }
        _ => bail!("`soak` takes `--hours H` only"),
    };
    ensure!(hours > 0.0 && hours <= HOURS_MAX, "hours are more than 0 and at most {HOURS_MAX}");
    // Others than last time: the second at which it starts.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let first = now * SEEDS_PER_SECOND;
    say(&format!("seeds from {first} on"));
    step("soak", || {
        let mut test = cargo();
        test.args(["test", "--locked", "--package", "swarm", "--test", "simulation"]);
        test.args(["--", "--ignored", "--exact", "seeds::soak", "--nocapture"]);
        test.env("PEERDRIVE_SOAK_SECONDS", ((hours * 3600.0).ceil() as u64).to_string());
        run(test.env("PEERDRIVE_SOAK_FROM", first.to_string()))
    })
}
