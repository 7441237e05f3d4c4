//! The command line as scripts use it: exit codes, JSON names, one line per failure, and a daemon that comes and goes.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tests::{Daemon, Start, eventually, peerdrive};

/// The code and what was said on standard error.
fn ended(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Fails with this code and one line on standard error that holds `part`.
fn fails(daemon: &Daemon, args: &[&str], code: i32, part: &str) {
    let (found, told) = ended(&daemon.command(args));
    assert_eq!(found, Some(code), "{args:?}: {told}");
    assert!(told.contains(part), "{args:?}: {told}");
    assert_eq!(told.lines().count(), 1, "{args:?}: {told}");
}

/// Succeeds, and says so.
fn done(daemon: &Daemon, args: &[&str]) -> String {
    let output = daemon.command(args);
    let (code, told) = ended(&output);
    assert_eq!(code, Some(0), "{args:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A file beside the drive with this one line.
fn secret(daemon: &Daemon, name: &str, line: &str) -> String {
    let path = daemon.beside().join(name);
    fs::write(&path, format!("{line}\n")).expect("written");
    path.to_str().expect("a plain path").to_string()
}

#[test]
fn the_start_tells_where_everything_is_and_the_end_is_clean() {
    let mut daemon = Daemon::prepare(Start::default());
    let printed = daemon.start_again().join("\n");
    let mount = daemon.mount();
    for part in [mount.to_str().expect("plain"), "http://127.0.0.1:", "device"] {
        assert!(printed.contains(part), "{part} in {printed}");
    }
    let status = daemon.json(&["status"]);
    assert!(printed.contains(status["device"].as_str().expect("an id")), "{printed}");
    assert_eq!(done(&daemon, &["down"]), "The drive is down.\n");
    assert!(daemon.wait_for_exit().success());
    assert!(!daemon.data().join("api.addr").exists());
    fails(&daemon, &["down"], 3, "no daemon runs");
    daemon.start_again();
    assert_eq!(daemon.json(&["status"])["device"], status["device"]);
}

#[test]
fn json_has_the_names_scripts_rely_on() {
    let daemon = Daemon::start();
    fs::write(daemon.mount().join("file"), "content").expect("written");
    daemon.wait_until_settled();
    let has = |value: &Value, keys: &str| {
        for key in keys.split_whitespace() {
            assert!(value.get(key).is_some(), "{key} in {value}");
        }
    };
    let status = daemon.json(&["status"]);
    has(&status, "device workspaces peers contributed used rss_bytes");
    has(
        &status["workspaces"][0],
        "id name mountpoint files bytes safe_files pending_files only_here_files conflicts",
    );
    assert_eq!(status["workspaces"][0]["mountpoint"], daemon.mount().to_str().expect("plain"));
    let history = daemon.json(&["history", "file"]);
    has(&history[0], "id time size device current conflict");
    let place = daemon.json(&["where", "file"]);
    has(&place, "path version chunks hosts");
    has(&place["hosts"][0], "device chunks");
    has(&daemon.json(&["devices"])[0], "device name state contributed used");
    has(&daemon.json(&["log"])[0], "time device what");
    has(&daemon.json(&["doctor"])[0], "severity what remedy");
    has(&daemon.json(&["contribute"]), "contributed reserve up down used");
    let done = daemon.json(&["scrub"]);
    assert_eq!(done["state"], "done");
    let scrub = daemon.json(&["status"])["scrub"].clone();
    let own = [&scrub["passes"][0]["by_hand"], &scrub["passes"][0]["bytes"], &scrub["last_bytes"]];
    assert_eq!(own, [&true.into(), &done["bytes"], &done["bytes"]], "it stands in the history: {scrub}");
}

#[test]
fn a_path_may_be_meant_in_three_ways() {
    let daemon = Daemon::start();
    fs::create_dir(daemon.mount().join("letters")).expect("made");
    let file = daemon.mount().join("letters/to ann");
    fs::write(&file, "dear").expect("written");
    daemon.wait_until_settled();
    let asked = |folder: &Path, path: &Path| {
        let mut command = Command::new(peerdrive());
        command.args(["where", "--json"]).arg(path).arg("--data").arg(daemon.data()).current_dir(folder);
        let output = command.output().expect("it starts");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        answer["path"].as_str().map(str::to_owned)
    };
    let root = Path::new("/");
    let expected = Some("letters/to ann".to_owned());
    assert_eq!(asked(root, &file), expected);
    assert_eq!(asked(root, Path::new("letters/to ann")), expected);
    assert_eq!(asked(&daemon.mount().join("letters"), Path::new("to ann")), expected);
    assert_eq!(asked(&daemon.mount().join("letters"), Path::new("../letters/to ann")), expected);
    let link = daemon.beside().join("link");
    std::os::unix::fs::symlink(daemon.mount(), &link).expect("linked");
    assert_eq!(asked(root, &link.join("letters/to ann")), expected);
}

#[test]
fn what_was_comes_back() {
    let daemon = Daemon::start();
    let file = daemon.mount().join("letter");
    let path = file.to_str().expect("plain");
    for text in ["first", "the second"] {
        fs::write(&file, text).expect("written");
        daemon.wait_until_settled();
    }
    let history = daemon.json(&["history", path]);
    let versions = history.as_array().expect("a list");
    assert_eq!(versions.len(), 2, "{history}");
    let first = versions[1]["id"].as_str().expect("an id");
    done(&daemon, &["restore", path, "--at", first]);
    assert_eq!(fs::read_to_string(&file).expect("read"), "first");
    fs::remove_file(&file).expect("removed");
    daemon.wait_until_settled();
    let second = versions[0]["id"].as_str().expect("an id");
    let other = daemon.mount().join("other");
    done(&daemon, &["restore", path, "--at", second, "--to", other.to_str().expect("plain")]);
    assert_eq!(fs::read_to_string(&other).expect("read"), "the second");
    fails(&daemon, &["restore", path, "--at", "nonsense"], 1, "nonsense");
    fails(&daemon, &["history", "never-there"], 1, "never-there");
}

#[test]
fn one_computer_alone_is_never_safe() {
    let daemon = Daemon::start();
    fails(&daemon, &["wait", "--safe"], 1, "never safe");
    fails(&daemon, &["wait"], 1, "never safe");
    done(&daemon, &["wait", "--synced"]);
    fails(&daemon, &["wait", "--synced", "none"], 1, "none");
}

#[test]
fn exit_codes_are_those_promised() {
    let daemon = Daemon::prepare(Start::default());
    fails(&daemon, &["status"], 3, "peerdrive up");
    for args in
        [&["nonsense"][..], &["restore", "x"], &["up", "--contribute", "much"], &["up", "--panel", "x"]]
    {
        assert_eq!(daemon.command(args).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(daemon.command(["--help"]).status.code(), Some(0));
    let script = daemon.command(["completions", "bash"]);
    assert!(String::from_utf8_lossy(&script.stdout).contains("restore"));
    let licences = daemon.command(["licences"]);
    assert!(String::from_utf8_lossy(&licences.stdout).contains("\nblake3 "));
    let text = daemon.command(["licences", "zstd-sys"]);
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("Redistribution and use in source and binary forms")
    );
    assert!(daemon.json(&["licences"])[0]["licence"].is_string());
    assert_eq!(daemon.command(["licences", "nobody"]).status.code(), Some(1));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let mut command = Command::new(peerdrive());
    let mut child = command
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("our own child");
    assert_eq!(ended(&output), (Some(0), String::new()));
}

#[test]
fn a_second_daemon_on_the_same_data_is_refused() {
    let daemon = Daemon::start();
    let other = daemon.beside().join("other");
    fails(&daemon, &["up", other.to_str().expect("plain")], 1, "in use by another process");
    done(&daemon, &["status"]);
}

#[test]
fn folders_that_do_not_fit_are_refused() {
    let daemon = Daemon::prepare(Start::default());
    let inside = daemon.data().join("mount");
    fails(&daemon, &["up", inside.to_str().expect("plain")], 2, "lie in one another");
    fs::create_dir(daemon.data()).expect("made");
    fs::write(daemon.data().join("letter"), "dear").expect("written");
    fails(&daemon, &["up", "--no-mount"], 1, "holds other files");
}

#[test]
fn settings_are_checked_and_kept() {
    let mut daemon = Daemon::prepare(Start::default());
    fs::create_dir(daemon.data()).expect("made");
    let config = daemon.data().join("config.toml");
    fs::write(&config, "contribut = \"10G\"\n").expect("written");
    fails(&daemon, &["up", "--no-mount"], 1, "did you mean \"contribute\"");
    fs::write(&config, "# mine\ncontribute = \"3G\"\nname = \"attic\"\n").expect("written");
    daemon.start_again();
    assert_eq!(daemon.json(&["status"])["contributed"], 3u64 << 30);
    assert_eq!(daemon.json(&["status"])["name"], "attic");
    done(&daemon, &["contribute", "2G", "--reserve", "100M", "--up", "5M"]);
    daemon.restart();
    let given = daemon.json(&["contribute"]);
    assert_eq!((given["contributed"].as_u64(), given["reserve"].as_u64()), (Some(2 << 30), Some(100 << 20)));
    assert_eq!((given["up"].as_u64(), given["down"].as_u64()), (Some(5 << 20), Some(0)));
    assert!(fs::read_to_string(&config).expect("read").starts_with("# mine\ncontribute = \"2G\"\n"));
}

#[test]
fn a_passphrase_locks_the_drive_and_the_words_open_it_again() {
    let mut daemon = Daemon::start();
    fs::write(daemon.mount().join("file"), "mine").expect("written");
    let (first, second) = (secret(&daemon, "first", "open sesame"), secret(&daemon, "second", "läuft"));
    let set = ["keys", "passphrase", "--new-passphrase-file"];
    fails(&daemon, &["keys", "lock"], 1, "no passphrase");
    done(&daemon, &[&set[..], &[&first]].concat());
    fails(&daemon, &["keys", "recovery", "--passphrase-file", &second], 1, "wrong passphrase");
    done(&daemon, &[&set[..], &[&second, "--old-passphrase-file", &first]].concat());
    let told = daemon.json(&["keys", "recovery", "--passphrase-file", &second]);
    let words = secret(&daemon, "words", told["phrase"].as_str().expect("words"));
    done(&daemon, &["keys", "lock"]);
    assert!(daemon.wait_for_exit().success());
    let mount = daemon.mount();
    let mount = mount.to_str().expect("plain");
    fails(&daemon, &["up", mount], 1, "--passphrase-file");
    fails(&daemon, &["up", mount, "--passphrase-file", &first], 1, "wrong passphrase");
    done(&daemon, &["keys", "recover", "--phrase-file", &words]);
    daemon.start_again();
    assert_eq!(fs::read_to_string(daemon.mount().join("file")).expect("read"), "mine");
}

#[test]
fn broken_files_are_named_and_left_alone() {
    let mut daemon = Daemon::start();
    assert!(daemon.stop().success());
    for name in ["device.key", "user.key", "api.token", "config.toml"] {
        let path = daemon.data().join(name);
        let good = fs::read(&path).expect("it is there");
        fs::write(&path, b"\x00garbage").expect("written");
        let mount = daemon.mount();
        fails(&daemon, &["up", mount.to_str().expect("plain")], 1, name);
        assert_eq!(fs::read(&path).expect("read"), b"\x00garbage");
        assert_eq!(daemon.command(["doctor"]).status.code(), Some(1), "{name}");
        fs::write(&path, good).expect("written");
    }
    daemon.start_again();
}

#[test]
fn secrets_are_for_their_owner_alone() {
    let daemon = Daemon::start();
    for name in ["device.key", "user.key", "api.token", "api.addr", "lock"] {
        let mode = fs::metadata(daemon.data().join(name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has {mode:o}");
    }
    assert_eq!(fs::metadata(daemon.data()).expect("it is there").permissions().mode() & 0o077, 0);
    fs::set_permissions(daemon.data().join("user.key"), PermissionsExt::from_mode(0o644)).expect("ours");
    let told = daemon.command(["doctor"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stdout).contains("other users may read"));
}

#[test]
fn without_a_mount_the_commands_work_all_the_same() {
    let daemon = Daemon::prepare(Start::default());
    let mut child = Command::new(peerdrive())
        .args(["up", "--no-mount", "--panel", "off", "--data"])
        .arg(daemon.data())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    eventually("it answers", || daemon.command(["status"]).status.success());
    assert_eq!(daemon.json(&["status"])["workspaces"][0]["mountpoint"], Value::Null);
    done(&daemon, &["down"]);
    assert!(child.wait().expect("our own child").success());
}

#[test]
fn every_way_of_ending_stores_what_was_written() {
    let mut daemon = Daemon::start();
    for (number, signal) in [Signal::INT, Signal::TERM, Signal::HUP].into_iter().enumerate() {
        let name = number.to_string();
        fs::write(daemon.mount().join(&name), &name).expect("written");
        daemon.signal(signal);
        let status = daemon.wait_for_exit();
        assert_eq!(status.code(), Some(0), "{signal:?}\n{}", daemon.log_tail());
        daemon.start_again();
        assert_eq!(fs::read_to_string(daemon.mount().join(&name)).expect("read"), name);
    }
}

#[test]
fn a_signal_sent_twice_is_one_request() {
    let mut daemon = Daemon::start();
    fs::write(daemon.mount().join("file"), "content").expect("written");
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait_for_exit().code(), Some(0), "{}", daemon.log_tail());
    daemon.start_again();
    assert_eq!(fs::read_to_string(daemon.mount().join("file")).expect("read"), "content");
}

#[test]
fn names_are_not_in_the_log() {
    let mut daemon = Start::default().arg("--log").arg("trace").start();
    let file = daemon.mount().join("a-telling-name");
    fs::write(&file, "a telling content").expect("written");
    daemon.wait_until_settled();
    done(&daemon, &["history", "a-telling-name"]);
    fs::rename(&file, daemon.mount().join("another-telling-name")).expect("renamed");
    fs::remove_file(daemon.mount().join("another-telling-name")).expect("removed");
    assert!(daemon.stop().success());
    assert!(!daemon.log().contains("telling"), "{}", daemon.log_tail());
}
