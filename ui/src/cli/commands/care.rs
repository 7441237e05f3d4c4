//! Looking after the drive: wait, scrub, doctor.

use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Asked, path_query};
use crate::answers::{Finding, Scrub, ScrubRequest, Wait, WaitFor, Waited, Whereabouts};
use crate::cli::Failure;
use crate::cli::connection::Connection;
use crate::cli::shown::{count, plain, size};
use crate::units::ByteRate;

/// Between two looks at a scrub.
const SCRUB_PAUSE: Duration = Duration::from_millis(200);
/// The first looks come sooner: small drives are done at once.
const SCRUB_FIRST_PAUSE: Duration = Duration::from_millis(10);

pub(super) fn wait(asked: &mut Asked<'_>, synced: bool, path: Option<&Path>) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let path = match path {
        // A path that does not exist is an error, whatever is waited for.
        Some(path) => {
            let found: Whereabouts = daemon.get(&format!("/where?{}", path_query(&daemon, "path", path)?))?;
            Some(found.path)
        }
        None => None,
    };
    let until = if synced { WaitFor::Synced } else { WaitFor::Safe };
    let waited = wait_until(asked, &daemon, &Wait { until, path })?;
    if asked.output.is_json() {
        asked.output.json(&waited)?;
    }
    match (waited.done, waited.why) {
        (true, _) if asked.output.is_json() => Ok(()),
        (true, _) if synced => asked.output.line("Every device that is online knows all changes."),
        (true, _) => asked.output.line("Safe: on enough computers."),
        (false, why) => {
            Err(Failure::Failed(why.map_or_else(|| "it is not so yet".into(), |why| plain(&why))))
        }
    }
}

/// Asks until it is so, or waiting longer does not help; says what is missing whenever that changes.
fn wait_until(asked: &mut Asked<'_>, daemon: &Connection, wait: &Wait) -> Result<Waited, Failure> {
    let mut told = None;
    loop {
        let waited: Waited = daemon.post("/wait", wait)?;
        if waited.done || waited.why.is_some() || waited.missing.is_none() {
            return Ok(waited);
        }
        if waited.missing != told && asked.output.is_watched() {
            asked.output.hint(waited.missing.as_deref().map(plain).unwrap_or_default());
        }
        told = waited.missing;
    }
}

pub(super) fn scrub(asked: &mut Asked<'_>, rate: Option<ByteRate>) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let started: Scrub = daemon.post("/scrub", &ScrubRequest { rate: rate.map(|rate| rate.0) })?;
    let scrub = follow(&daemon, started, asked.output.is_watched())?;
    if asked.output.is_json() {
        asked.output.json(&scrub)?;
    }
    match scrub.state.as_str() {
        "done" if scrub.bad_chunks <= scrub.healed_chunks => said(asked, &scrub),
        "done" => Err(Failure::Failed(damage(&scrub))),
        "stopped" => {
            Err(Failure::Failed(format!("the scrub was stopped after {}: run it again", size(scrub.bytes))))
        }
        _ => Err(Failure::Failed(scrub.error.as_deref().map_or_else(|| "the scrub failed".into(), plain))),
    }
}

fn said(asked: &mut Asked<'_>, scrub: &Scrub) -> Result<(), Failure> {
    if asked.output.is_json() {
        return Ok(());
    }
    let chunks = count(scrub.chunks, "chunk", "chunks");
    if scrub.healed_chunks > 0 {
        let healed = count(scrub.healed_chunks, "chunk was", "chunks were");
        return asked.output.line(format!(
            "{healed} damaged on disk and came from other computers: all is whole again, {chunks} read and verified. Check the disk."
        ));
    }
    asked.output.line(format!("All is well: {chunks}, {} read and verified.", size(scrub.bytes)))
}

fn damage(scrub: &Scrub) -> String {
    let files: Vec<String> = scrub.files.iter().take(20).map(|path| plain(path)).collect();
    let more = scrub.files.len().saturating_sub(files.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = if files.is_empty() { "old versions only".into() } else { files.join(", ") + &more };
    format!(
        "{} of {} damaged on disk, {} replaced from other computers; the rest concerns: {named}. Start another computer that has \
         them and scrub again, copy these files back from elsewhere, or restore an \
         earlier version; then check the disk",
        count(scrub.bad_chunks, "chunk", "chunks"),
        scrub.chunks,
        scrub.healed_chunks
    )
}

/// Asks how far it is until it has ended.
fn follow(daemon: &Connection, started: Scrub, watched: bool) -> Result<Scrub, Failure> {
    let bar = progress(watched);
    let mut scrub = started;
    let mut pause = SCRUB_FIRST_PAUSE;
    while scrub.state == "running" {
        std::thread::sleep(pause);
        pause = (pause * 2).min(SCRUB_PAUSE);
        scrub = daemon.get("/scrub")?;
        bar.set_length(scrub.total_bytes);
        bar.set_position(scrub.bytes);
    }
    bar.finish_and_clear();
    Ok(scrub)
}

fn progress(watched: bool) -> ProgressBar {
    if !watched {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "{bar:40} {percent}%  {binary_bytes} of {binary_total_bytes}, {eta} left",
    );
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

pub(super) fn stop_scrub(asked: &mut Asked<'_>) -> Result<(), Failure> {
    let scrub: Scrub = asked.connect()?.delete("/scrub")?;
    if asked.output.is_json() {
        return asked.output.json(&scrub);
    }
    let told = if scrub.state == "running" { "The scrub ends now." } else { "No scrub runs." };
    asked.output.line(told)
}

pub(super) fn doctor(asked: &mut Asked<'_>) -> Result<(), Failure> {
    let mut findings: Vec<Finding> = asked.computer.examine(&asked.data);
    if asked.computer.daemon_runs(&asked.data) {
        let told: Vec<Finding> = asked.connect()?.get("/doctor")?;
        findings.extend(told);
    } else {
        let remedy = "start it with `peerdrive up` and ask again: it sees more";
        findings.push(Finding::warning("no daemon runs for this data folder", remedy));
    }
    if asked.output.is_json() {
        asked.output.json(&findings)?;
    } else {
        findings.iter().try_for_each(|finding| tell(asked, finding))?;
    }
    let problems = findings.iter().filter(|finding| finding.is_problem()).count() as u64;
    if problems == 0 {
        return Ok(());
    }
    let told = count(problems, "problem", "problems");
    Err(Failure::Failed(format!("the doctor found {told}: what to do stands with each")))
}

fn tell(asked: &mut Asked<'_>, finding: &Finding) -> Result<(), Failure> {
    let mark = match finding.severity.as_str() {
        "fine" => "ok      ",
        "warning" => "look    ",
        _ => "PROBLEM ",
    };
    asked.output.line(format!("{mark}{}", plain(&finding.what)))?;
    if finding.remedy.is_empty() {
        return Ok(());
    }
    asked.output.line(format!("        → {}", plain(&finding.remedy)))
}
