//! Every key of `config.toml`.

use std::fs;

use tests::{Daemon, Start, told};

use crate::refusal;

const KEYS: [&str; 15] = [
    "name",
    "mountpoint",
    "contribute",
    "reserve",
    "history",
    "cache",
    "panel",
    "allow_other",
    "posix_owners",
    "log",
    "target",
    "listen",
    "discovery",
    "up",
    "down",
];
/// No key takes these.
const NEVER_RIGHT: [&str; 7] = ["[]", "{}", "-1", "1.5", "nan", "1979-05-27", "\"\\u0000\\n\""];
/// Some key may take these; none may panic.
const STRANGE: [&str; 8] = [
    "\"\"",
    "\"garbage\"",
    "\"99999999999999999999999T\"",
    "\"-5G\"",
    "9223372036854775807",
    "\"0\"",
    "true",
    "\"💾\"",
];
/// Files that are no settings at all.
const NO_SETTINGS: [&[u8]; 6] = [
    b"\xff\xfe\x00",
    b"name",
    b"= 3",
    b"[section]\nname = \"x\"",
    b"nmae = \"x\"",
    b"name = \"a\"\nname = \"b\"",
];

#[test]
fn garbage_in_a_setting_is_refused_by_its_name() {
    let mut daemon = prepared();
    for key in KEYS {
        for value in NEVER_RIGHT {
            let text = format!("{key} = {value}\n");
            fs::write(daemon.data().join("config.toml"), &text).unwrap();
            let line = refusal(&mut daemon, &text).unwrap_or_else(|| panic!("{text} was taken"));
            assert!(line.contains("config.toml") && line.contains(key), "{text}: {line}");
            assert_eq!(fs::read_to_string(daemon.data().join("config.toml")).unwrap(), text);
        }
        for value in STRANGE {
            let text = format!("{key} = {value}\n");
            fs::write(daemon.data().join("config.toml"), &text).unwrap();
            // It reads the settings as a start does.
            let doctor = told(&daemon.command(["doctor"]));
            assert!(!doctor.contains("panicked"), "{text}: {doctor}");
        }
    }
    for text in NO_SETTINGS {
        let what = String::from_utf8_lossy(text).into_owned();
        fs::write(daemon.data().join("config.toml"), text).unwrap();
        let line = refusal(&mut daemon, &what).unwrap_or_else(|| panic!("{what} was taken"));
        assert!(line.contains("config.toml"), "{what}: {line}");
    }
    fs::remove_file(daemon.data().join("config.toml")).unwrap();
    daemon.start_again();
    assert_eq!(fs::read(daemon.mount().join("file")).unwrap(), b"content");
}

fn prepared() -> Daemon {
    let mut daemon = Start::default().start();
    fs::write(daemon.mount().join("file"), "content").unwrap();
    assert!(daemon.stop().success());
    daemon
}
