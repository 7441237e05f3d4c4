//! Other computers: invite, join, rename, revoke, lost and found.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Asked;
use crate::answers::{DeviceChange, Done, Invitation, InviteRequest, JoinRequest, Joined, Status};
use crate::cli::shown::{plain, short_id};
use crate::cli::{Failure, secret};
use crate::moment;

/// How long the drive of this computer may take to open anew after it joined.
const OPEN_WAIT: Duration = Duration::from_secs(60);
/// Between two looks at it.
const OPEN_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn invite(asked: &mut Asked<'_>, role: Option<String>, ticket: bool) -> Result<(), Failure> {
    let invitation: Invitation = asked.connect()?.post("/invite", &InviteRequest { role, ticket })?;
    if asked.output.is_json() {
        return asked.output.json(&invitation);
    }
    let typed = invitation.code.or(invitation.ticket).unwrap_or_default();
    asked.output.line(&typed)?;
    asked.output.hint(format!(
        "On the other computer: `peerdrive up`, then `peerdrive join {typed}`. It works once, until {}.",
        moment::shown(&invitation.expires)
    ));
    Ok(())
}

pub(super) fn join(
    asked: &mut Asked<'_>,
    code: Option<String>,
    phrase_file: Option<&Path>,
    peer: Option<SocketAddr>,
) -> Result<(), Failure> {
    let phrase = phrase_file.map(secret::all_of).transpose()?.map(|text| text.to_string());
    let request = JoinRequest { code, phrase, peer: peer.map(|peer| peer.to_string()) };
    let joined: Joined = asked.connect()?.post("/join", &request)?;
    wait_until_open(asked, &joined.workspace)?;
    if asked.output.is_json() {
        return asked.output.json(&joined);
    }
    let what = joined.name.as_deref().map_or_else(
        || "This computer now keeps sealed data for the drive of".to_string(),
        |name| format!("This computer now belongs to the drive \"{}\", taken in by", plain(name)),
    );
    asked.output.line(format!("{what} {}.", short_id(&joined.by)))
}

/// The daemon closes its own empty drive and opens the joined one; it is there when `status` says so.
fn wait_until_open(asked: &Asked<'_>, workspace: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + OPEN_WAIT;
    loop {
        let found = asked.connect().and_then(|daemon| daemon.get::<Status>("/status"));
        if found.is_ok_and(|status| status.workspaces.iter().any(|drive| drive.id == workspace)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let told = "this computer belongs to the drive now, but it did not open: see the daemon's log";
            return Err(Failure::Failed(told.into()));
        }
        std::thread::sleep(OPEN_PAUSE);
    }
}

pub(super) fn change_device(
    asked: &mut Asked<'_>,
    command: &crate::cli::arguments::DevicesCommand,
) -> Result<(), Failure> {
    use crate::cli::arguments::DevicesCommand::{Found, Lost, Rename, Revoke};
    let (route, change, told) = match command {
        Rename { device, name } => {
            let change = DeviceChange { device: device.clone(), name: Some(name.clone()) };
            ("/devices/rename", change, format!("It is called {} now.", plain(name)))
        }
        Revoke { device } => {
            let told = "It is out of the drive, and the others have new keys.";
            ("/devices/revoke", named(device), told.into())
        }
        Lost { device } => {
            let told =
                "It counts as lost: what it held is copied elsewhere. If it comes back, it is a host again.";
            ("/devices/lost", named(device), told.into())
        }
        Found { device } => {
            let told = "It is waited for again, here and on the computers that are online now.";
            ("/devices/found", named(device), told.into())
        }
    };
    let done: Done = asked.connect()?.post(route, &change)?;
    if asked.output.is_json() { asked.output.json(&done) } else { asked.output.line(told) }
}

fn named(device: &str) -> DeviceChange {
    DeviceChange { device: device.into(), name: None }
}
