//! A file that is on one computer alone for too long is told of: in `status`, in the log, to pages, on the desktop.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use serde_json::Value;
use tests::{eventually, program};

use crate::computers::Computers;

const SAID: &str = "on this computer alone for too long";

/// Listens to a daemon's events, at its place on the network.
fn listen(computers: &Computers, at: usize) -> Child {
    let data = computers.daemons[at].data();
    let read = |name: &str| fs::read_to_string(data.join(name)).unwrap().trim().to_owned();
    let (token, address) = (read("api.token"), read("api.addr"));
    let place = computers.network.place(at).prefix();
    let mut command = program(place[0].to_str().unwrap());
    command.args(&place[1..]).args(["curl", "--silent", "--no-buffer", "--max-time", "120"]);
    command.args(["--header", &format!("authorization: Bearer {token}")]);
    command.arg(format!("http://{address}/api/v1/events")).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_file_that_is_here_alone_for_too_long_is_told_of_everywhere_and_once() {
    let shown = tempfile::tempdir().unwrap();
    let notify = shown.path().join("notify-send");
    fs::write(&notify, "#!/bin/sh\nfor word; do echo \"$word\"; done >> \"$(dirname \"$0\")/told\"\n")
        .unwrap();
    fs::set_permissions(&notify, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", shown.path().display(), std::env::var("PATH").unwrap());
    let mut computers = Computers::apart_with(2, &[], |_, start| {
        start.env("PATH", &path).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    });
    computers.pair(0, 1, &[]);
    computers.daemons[0].add_setting("only_here = \"2s\"");
    computers.daemons[0].restart();
    fs::write(computers.mount(0).join("on both"), "1").unwrap();
    computers.safe(0);
    let drive = || computers.daemons[0].json(&["status"])["workspaces"][0].clone();
    assert_eq!((&drive()["only_here_files"], &drive()["only_here_too_long"]), (&0.into(), &false.into()));
    assert!(!computers.daemons[0].log().contains(SAID));
    let mut listener = listen(&computers, 0);
    let mut events = BufReader::new(listener.stdout.take().unwrap()).lines();
    computers.network.place(1).unplug();
    fs::write(computers.mount(0).join("alone"), "2").unwrap();
    eventually("status says so", || drive()["only_here_too_long"] == true);
    let told_page = events.by_ref().map(Result::unwrap).find_map(|line| {
        let status: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
        (status["workspaces"][0]["only_here_too_long"] == true).then_some(status)
    });
    assert_eq!(told_page.expect("pages are told")["workspaces"][0]["only_here_files"], 1);
    listener.kill().unwrap();
    listener.wait().unwrap();
    eventually("the log says so", || computers.daemons[0].log().contains(SAID));
    let desktop = || fs::read_to_string(shown.path().join("told")).unwrap_or_default();
    eventually("the desktop says so", || desktop().contains("1 file is on this computer alone"));
    let shown = computers.daemons[0].command(["status"]);
    assert!(tests::told(&shown).contains("WARNING"), "{}", tests::told(&shown));
    // When it is on both it is over, and nothing was said twice meanwhile.
    computers.network.place(1).plug_in();
    computers.safe(0);
    eventually("it is over", || drive()["only_here_too_long"] == false);
    assert_eq!(computers.daemons[0].log().matches(SAID).count(), 1);
    assert_eq!(desktop().matches("on this computer alone").count(), 1);
}
