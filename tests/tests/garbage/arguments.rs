//! Arguments of every command.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use tests::{Daemon, told};

/// Wrong use: exit code 2, before anything is looked at.
const WRONG_USE: [&[&str]; 17] = [
    &["up", "--contribute", "garbage"],
    &["up", "--contribute", "-5"],
    &["up", "--contribute", "99999999999999999999999T"],
    &["up", "--target", "0"],
    &["up", "--target", "65"],
    &["up", "--listen", "nowhere"],
    &["up", "--panel", "0.0.0.0:99999"],
    &["up", "--log", "loudly"],
    &["up", "one", "two"],
    &["log", "--limit", "0"],
    &["scrub", "--rate", "fast"],
    &["contribute", "much"],
    &["completions", "tcsh"],
    &["history", ""],
    &["history", "../../../../etc/passwd"],
    &["garbage"],
    &["--garbage"],
];
/// Refused by the daemon, or by what it finds: exit code 1 and one line.
const REFUSED: [&[&str]; 7] = [
    &["history", "no such file"],
    &["history", "/etc/passwd"],
    &["where", "a\nb"],
    &["restore", "file", "--at", "garbage"],
    &["restore", "file", "--at", "99999-99-99 99:99"],
    &["restore", "file", "--at", "ffffffffffffffffffffffffffffffff"],
    &["keys", "recovery", "--passphrase-file", "/no/such/file"],
];

#[test]
fn garbage_in_an_argument() {
    let daemon = Daemon::start();
    fs::write(daemon.mount().join("file"), "content").unwrap();
    daemon.wait_until_settled();
    for args in WRONG_USE {
        let output = daemon.command(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", told(&output));
    }
    for args in REFUSED {
        let output = daemon.command(args);
        let told = told(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.lines().count() == 1 && told.starts_with("peerdrive: "), "{args:?}: {told}");
    }
    let long = "x".repeat(100_000);
    for name in [OsStr::from_bytes(b"\xff\xfe"), OsStr::new(&long)] {
        let output = daemon.command([OsStr::new("history"), name]);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{}", told(&output));
    }
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log_tail());
    assert_eq!(fs::read(daemon.mount().join("file")).unwrap(), b"content");
}
