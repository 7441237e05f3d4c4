//! What was decided about copies.

use super::Asked;
use crate::answers::{Policy, PolicyChange};
use crate::cli::Failure;
use crate::cli::arguments::PolicyArguments;
use crate::cli::shown::{plain, table};

pub(super) fn policy(asked: &mut Asked<'_>, typed: PolicyArguments) -> Result<(), Failure> {
    let PolicyArguments { copies, min, max, fsync } = typed;
    let change = PolicyChange { copies, min, max, fsync };
    let daemon = asked.connect()?;
    let now: Policy = if change == PolicyChange::default() {
        daemon.get("/workspace/policy")?
    } else {
        daemon.post("/workspace/policy", &change)?
    };
    if asked.output.is_json() {
        return asked.output.json(&now);
    }
    let rows = [
        ("copies wanted", now.copies.to_string()),
        ("safe from", format!("{}, where there are not enough computers for more", now.min)),
        ("kept at most", now.max.to_string()),
        ("fsync waits for", fsync_shown(&now.fsync)),
    ];
    let rows = rows.map(|(name, told)| vec![name.to_string(), told]);
    table(&rows).into_iter().try_for_each(|line| asked.output.line(line))
}

fn fsync_shown(level: &str) -> String {
    match level {
        "local" => "this computer's disk (local)".into(),
        level => format!("{} computers, this one among them", plain(level)),
    }
}
