//! The example of docs/api.md does what it says, as it stands there.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::fs;
use std::os::unix::fs::symlink;

use tests::{Start, noise, program, run};

#[test]
fn the_ten_lines_of_the_api_upload_list_and_download() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md")).unwrap();
    let example = text.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(example.lines().count() <= 10, "{example}");
    let daemon = Start::default().start();
    // A home in which the data folder is where it is by default, and where curl takes a refusal for a failure.
    let home = daemon.beside().join("home");
    fs::create_dir_all(home.join(".local/share")).unwrap();
    symlink(daemon.data(), home.join(".local/share/peerdrive")).unwrap();
    fs::write(home.join(".curlrc"), "fail-with-body\nsilent\nshow-error\n").unwrap();
    fs::write(home.join("letter.odt"), noise(1, 3 << 20)).unwrap();
    let mut shell = program("bash");
    shell.args(["-euo", "pipefail", "-c", example]).current_dir(&home);
    let said = run(shell.env("HOME", &home).env("NO_PROXY", "127.0.0.1"));
    assert!(said.contains(r#""name":"letter.odt""#), "it lists: {said}");
    assert_eq!(fs::read(home.join("copy.odt")).unwrap(), noise(1, 3 << 20));
    assert!(daemon.mount().join("letters").is_dir());
    assert!(!daemon.mount().join("letters/letter.odt").exists(), "and deletes");
}
