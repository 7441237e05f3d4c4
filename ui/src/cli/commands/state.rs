//! What is the case: status, devices, log.

use super::Asked;
use crate::answers::{BackgroundScrub, Device, Garbage, LogLine, Peer, Policy, Status, Workspace};
use crate::cli::Failure;
use crate::cli::shown::{count, plain, short_id, size, table};
use crate::moment;

pub(super) fn status(asked: &mut Asked<'_>) -> Result<(), Failure> {
    let status: Status = asked.connect()?.get("/status")?;
    if asked.output.is_json() {
        return asked.output.json(&status);
    }
    for workspace in &status.workspaces {
        for line in table(&about_drive(workspace, &status)) {
            asked.output.line(line)?;
        }
        asked.output.line("")?;
    }
    for line in table(&about_computer(&status)) {
        asked.output.line(line)?;
    }
    if status.peers.is_empty() {
        return Ok(());
    }
    asked.output.line("")?;
    let remarks = status.peers.iter().flat_map(|peer| [lag(peer), doubt(peer)]).flatten();
    table(&about_peers(&status)).into_iter().chain(remarks).try_for_each(|line| asked.output.line(line))
}

/// A host lags behind when what is on its way to it takes its line longer than this, seconds: a few files more than usual are no lag.
const LAG_S: u64 = 30;
/// A chunk of a file below 64 MiB, on average (`chunkstore/src/cut.rs`). Larger files have larger ones, and lag sooner.
const CHUNK_BYTES: u64 = 64 << 10;

/// Of a host that is here and gets its copies more slowly than they are made.
fn lag(peer: &Peer) -> Option<String> {
    let (chunks, rate) = (peer.outstanding_chunks, peer.line_bytes_per_s?);
    let lags = chunks * CHUNK_BYTES > rate * LAG_S;
    lags.then(|| {
        let waiting = count(chunks, "chunk is", "chunks are");
        format!(
            "{} lags behind: {waiting} still on the way to it, and the line takes about {}/s; copies for other computers do not wait for it",
            plain(&peer.name),
            size(rate)
        )
    })
}

/// Of a host that claims what it does not hold, or lost what it should.
fn doubt(peer: &Peer) -> Option<String> {
    let (name, asked) = (plain(&peer.name), count(peer.audit.asked, "chunk", "chunks"));
    match (peer.audit.wrong, peer.audit.missing) {
        (0, 0) => None,
        (0, missing) => Some(format!(
            "{name} was asked for {asked}, and {missing} could not be read where it should be: it fetches what is still wanted again"
        )),
        (wrong, _) => Some(format!(
            "{name} could not show {wrong} of {asked} that it says it keeps: nothing new is placed there until it can"
        )),
    }
}

fn row(name: &str, told: impl Into<String>) -> Vec<String> {
    vec![name.into(), told.into()]
}

fn about_drive(drive: &Workspace, status: &Status) -> Vec<Vec<String>> {
    if drive.blind {
        let sealed = format!("{}, sealed: this computer is a host and reads none of it", short_id(&drive.id));
        let mut rows = vec![row("drive", sealed), row("health", health(status))];
        rows.extend(status.garbage.as_ref().map(|told| row("garbage", garbage(told))));
        return rows;
    }
    let mut rows = vec![
        row("drive", format!("{} ({})", plain(&drive.name), short_id(&drive.id))),
        row("mounted at", drive.mountpoint.as_deref().map_or_else(|| "not mounted".into(), plain)),
        row(
            "holds",
            format!(
                "{} in {}, {}",
                count(drive.files, "file", "files"),
                count(drive.directories, "folder", "folders"),
                size(drive.bytes)
            ),
        ),
        row("health", health(status)),
        row("safety", safety(drive, status.peers.is_empty())),
    ];
    if let Some(why) = &drive.read_only {
        rows.push(row("READ-ONLY", plain(why)));
    }
    rows.extend(status.leaving.then(|| {
        row("LEAVING", "others take over what this computer holds: `peerdrive leave` shows how far")
    }));
    rows.extend(drive.policy.as_ref().map(|policy| row("copies", copies(policy))));
    if let Some(since) = drive.only_here_since.as_deref().filter(|_| drive.only_here_too_long) {
        let files = count(drive.only_here_files, "file is", "files are");
        let told = format!(
            "{files} on this computer alone, the oldest since {}: start another one",
            moment::shown(since)
        );
        rows.push(row("WARNING", told));
    }
    if drive.fsyncs_too_late > 0 {
        let late = count(drive.fsyncs_too_late, "fsync was", "fsyncs were");
        rows.push(row("fsync", format!("{late} not on enough computers in time, and on this one alone")));
    }
    if drive.pending_files > 0 {
        rows.push(row("storing", count(drive.pending_files, "file is", "files are") + " being stored now"));
    }
    if drive.conflicts > 0 {
        rows.push(row(
            "conflicts",
            count(drive.conflicts, "file has", "files have") + " versions to choose from",
        ));
    }
    rows
}

fn copies(policy: &Policy) -> String {
    let fsync = if policy.fsync == "local" {
        String::new()
    } else {
        format!("; fsync waits for {}", plain(&policy.fsync))
    };
    format!("{} wanted of everything{fsync}", policy.copies)
}

fn health(status: &Status) -> String {
    if status.health == "ok" {
        return wholeness(status);
    }
    let why = status.health_detail.as_deref().map(plain).unwrap_or_default();
    format!("READ-ONLY after a disk failure ({why}): see `peerdrive doctor`")
}

/// What nothing in the drive names any more.
fn garbage(told: &Garbage) -> String {
    let mut said = count(told.collected_chunks, "chunk", "chunks") + " given up since the start";
    if told.waiting_chunks > 0 {
        said += &format!(", {} to be looked at again", told.waiting_chunks);
    }
    if !told.unheard.is_empty() {
        let names: Vec<String> = told.unheard.iter().map(|name| plain(name)).collect();
        said += &format!("; waits until these were online: {}", names.join(", "));
    }
    said + &format!("; proofs in {}", plain(&told.proofs))
}

/// Whether what is kept here is whole.
fn wholeness(status: &Status) -> String {
    let mut told = Vec::new();
    if status.damaged_chunks > 0 {
        told.push(
            count(status.damaged_chunks, "chunk is", "chunks are")
                + " DAMAGED on this disk: see `peerdrive scrub`",
        );
    }
    if status.mending_chunks > 0 {
        told.push(count(status.mending_chunks, "chunk is", "chunks are") + " being fetched again");
    }
    if status.healed_chunks > 0 {
        told.push(
            count(status.healed_chunks, "damaged chunk was", "damaged chunks were")
                + " replaced: check this disk",
        );
    }
    if told.is_empty() { "good".into() } else { told.join("; ") }
}

fn safety(drive: &Workspace, alone: bool) -> String {
    if alone {
        return "on this computer alone: keep another copy of what matters".into();
    }
    if drive.safe_files == drive.files && drive.pending_files == 0 {
        return format!("everything is safe: {} on enough computers", count(drive.files, "file", "files"));
    }
    let only_here = match drive.only_here_files {
        0 => String::new(),
        files => format!("; {} only here", count(files, "file exists", "files exist")),
    };
    format!("{} of {} safe{only_here}", drive.safe_files, count(drive.files, "file", "files"))
}

fn about_peers(status: &Status) -> Vec<Vec<String>> {
    let mut rows =
        vec![["PEER", "STATE", "PATH", "RTT", "ON ITS WAY", "GIVES", "USED"].map(String::from).to_vec()];
    rows.extend(status.peers.iter().map(|peer| {
        vec![
            plain(&peer.name),
            plain(&peer.state),
            path_of(peer),
            peer.rtt_ms.map(|rtt| format!("{rtt:.1} ms")).unwrap_or_default(),
            on_its_way(peer),
            size(peer.contributed),
            if peer.full { size(peer.used) + ", full" } else { size(peer.used) },
        ]
    }));
    rows
}

fn path_of(peer: &Peer) -> String {
    let path = peer.path.as_deref().map(plain);
    match (path, peer.why.as_deref().map(plain)) {
        (Some(path), Some(why)) => format!("{path} ({why})"),
        (Some(path), None) => path,
        (None, why) => why.unwrap_or_default(),
    }
}

fn on_its_way(peer: &Peer) -> String {
    match (peer.outstanding_chunks, peer.behind) {
        (0, 0) => String::new(),
        (chunks, 0) => count(chunks, "chunk", "chunks"),
        (0, changes) => count(changes, "change", "changes"),
        (chunks, changes) => {
            format!("{}, {}", count(chunks, "chunk", "chunks"), count(changes, "change", "changes"))
        }
    }
}

fn about_computer(status: &Status) -> Vec<Vec<String>> {
    let mut rows = vec![
        row("computer", format!("{} ({})", plain(&status.name), short_id(&status.device))),
        row("gives", format!("{}, {} used", size(status.contributed), size(status.used))),
        row("keeps free", size(status.reserve)),
        row("room for", format!("{} more", size(status.can_store))),
    ];
    rows.push(row("scrub", scrub(&status.scrub)));
    if status.relaying.relayed_bytes > 0 {
        rows.push(row("relayed", format!("{} for others", size(status.relaying.relayed_bytes))));
    }
    if let Some(bytes) = status.rss_bytes {
        rows.push(row("memory", size(bytes)));
    }
    rows.push(row("version", plain(&status.version)));
    rows
}

/// Whether everything is still what was written, as far as it was read.
fn scrub(scrub: &BackgroundScrub) -> String {
    if scrub.every_s == 0 {
        return "switched off: what goes bad is found when it is read (setting scrub)".into();
    }
    let found = |chunks: u64| match chunks {
        0 => "nothing damaged".into(),
        chunks => count(chunks, "DAMAGED chunk", "DAMAGED chunks") + " found",
    };
    let mut told = Vec::new();
    if let Some(last) = &scrub.last {
        let (bytes, found) = (size(scrub.last_bytes), found(scrub.last_bad_chunks));
        told.push(format!("all {bytes} read until {}, {found}", moment::shown(last)));
    }
    if scrub.began.is_some() {
        let waits = if scrub.waits { ", waits for a quiet disk" } else { "" };
        let (done, total) = (size(scrub.checked_bytes), size(scrub.total_bytes));
        told.push(format!("{done} of {total} read in this pass, {}{waits}", found(scrub.bad_chunks)));
    }
    told.join("; ")
}

pub(super) fn devices(asked: &mut Asked<'_>) -> Result<(), Failure> {
    let devices: Vec<Device> = asked.connect()?.list("/devices", usize::MAX)?;
    if asked.output.is_json() {
        return asked.output.json(&devices);
    }
    let mut rows = vec![["DEVICE", "NAME", "ROLE", "STATE", "GIVES", "USED"].map(String::from).to_vec()];
    for device in &devices {
        let state = if device.this { "this computer".into() } else { plain(&device.state) };
        rows.push(vec![
            short_id(&device.device).into(),
            plain(&device.name),
            plain(&device.role),
            state,
            size(device.contributed),
            size(device.used),
        ]);
    }
    table(&rows).into_iter().try_for_each(|line| asked.output.line(line))
}

pub(super) fn log(asked: &mut Asked<'_>, limit: u64) -> Result<(), Failure> {
    let lines: Vec<LogLine> = asked.connect()?.list("/log", usize::try_from(limit).unwrap_or(usize::MAX))?;
    if asked.output.is_json() {
        return asked.output.json(&lines);
    }
    let rows: Vec<Vec<String>> = lines.iter().map(log_row).collect();
    if rows.is_empty() {
        asked.output.hint("Nothing has happened in this drive yet.");
    }
    table(&rows).into_iter().try_for_each(|line| asked.output.line(line))
}

fn log_row(line: &LogLine) -> Vec<String> {
    let what = plain(&line.what);
    let told = line.path.as_deref().map_or_else(|| what.clone(), |path| format!("{what} {}", plain(path)));
    vec![moment::shown(&line.time), short_id(&line.device).into(), told]
}
