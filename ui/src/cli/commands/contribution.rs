//! What this computer gives.

use super::Asked;
use crate::answers::{Contribution, ContributionChange};
use crate::cli::Failure;
use crate::cli::arguments::ContributeArguments;
use crate::cli::shown::{plain, rate, size, table};

pub(super) fn contribute(asked: &mut Asked<'_>, typed: &ContributeArguments) -> Result<(), Failure> {
    let change = ContributionChange {
        contribute: typed.size.map(|size| size.0),
        reserve: typed.reserve.map(|size| size.0),
        up: typed.up.map(|rate| rate.0),
        down: typed.down.map(|rate| rate.0),
    };
    let daemon = asked.connect()?;
    let now: Contribution = if change == ContributionChange::default() {
        daemon.get("/contribute")?
    } else {
        daemon.post("/contribute", &change)?
    };
    if asked.output.is_json() {
        return asked.output.json(&now);
    }
    let rows = [
        ("gives", format!("{}, {} used", size(now.contributed), size(now.used))),
        ("keeps free", size(now.reserve)),
        ("sends", at_hour(now.up, now.up_now, &now)),
        ("receives", at_hour(now.down, now.down_now, &now)),
    ];
    let rows = rows.map(|(name, told)| vec![name.to_string(), told]);
    table(&rows).into_iter().try_for_each(|line| asked.output.line(line))?;
    if now.contributed < now.used {
        asked
            .output
            .hint("More is stored than is given now: nothing new is stored until enough was deleted.");
    }
    Ok(())
}

/// A limit, and what holds at this hour where that is another.
fn at_hour(usual: u64, now: u64, contribution: &Contribution) -> String {
    match &contribution.hours_now {
        Some(hours) => format!("{} now ({}), else {}", rate(now), plain(hours), rate(usual)),
        None => rate(usual),
    }
}
