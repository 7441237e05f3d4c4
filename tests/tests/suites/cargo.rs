//! A Rust project on the drive: cargo builds what changed and nothing else, by the times that files show.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::{Daemon, output, told};

use crate::folder;

/// The members, each of which uses the one before it.
const MEMBERS: [&str; 4] = ["one", "two", "three", "four"];

#[test]
fn cargo_builds_what_changed_and_nothing_else() {
    let mut daemon = Daemon::start();
    let project = folder(&daemon.mount(), "project");
    make(&project);
    assert_eq!(compiled(&project, "build"), MEMBERS);
    assert_eq!(compiled(&project, "build"), [""; 0]);
    daemon.restart();
    assert_eq!(compiled(&project, "build"), [""; 0], "after a restart");

    write_member(&project, 2, 30);
    assert_eq!(compiled(&project, "build"), ["three", "four"]);
    compiled(&project, "test");
    assert_eq!(compiled(&project, "test"), [""; 0]);
    assert_eq!(ran(&project, &["run", "--quiet", "--package", "four"]).trim(), "33");
    ran(&project, &["clean"]);
    assert_eq!(compiled(&project, "build"), MEMBERS);
}

fn make(project: &Path) {
    fs::write(project.join("Cargo.toml"), format!("[workspace]\nresolver = \"3\"\nmembers = {MEMBERS:?}\n"))
        .unwrap();
    for (number, name) in MEMBERS.into_iter().enumerate() {
        let member = folder(project, name);
        fs::create_dir(member.join("src")).unwrap();
        let mut manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
        if let Some(before) = number.checked_sub(1).map(|before| MEMBERS[before]) {
            manifest += &format!("[dependencies]\n{before} = {{ path = \"../{before}\" }}\n");
        }
        fs::write(member.join("Cargo.toml"), manifest).unwrap();
        write_member(project, number, 1);
    }
}

/// A member that adds its own number to what the one before it counts, and has a test for it; the last is a program, too.
fn write_member(project: &Path, number: usize, own: u32) {
    let before = number.checked_sub(1).map_or("0".into(), |before| format!("{}::count()", MEMBERS[before]));
    let library = format!(
        "pub fn count() -> u32 {{ {before} + {own} }}\n\
         #[test] fn it_counts() {{ assert!(count() > {number}); }}\n"
    );
    let source = project.join(MEMBERS[number]).join("src");
    fs::write(source.join("lib.rs"), library).unwrap();
    if number + 1 == MEMBERS.len() {
        fs::write(source.join("main.rs"), "fn main() { println!(\"{}\", four::count()); }\n").unwrap();
    }
}

/// The members that a chore of cargo compiled, in that order.
fn compiled(project: &Path, chore: &str) -> Vec<String> {
    let told = ran(project, &[chore, "--workspace"]);
    let member = |line: &str| Some(line.trim().strip_prefix("Compiling ")?.split(' ').next()?.to_owned());
    told.lines().filter_map(member).collect()
}

fn ran(project: &Path, args: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(project).args(args).arg("--offline").env("CARGO_BUILD_JOBS", "1");
    // The project's own settings, not those of whoever runs this test.
    for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        cargo.env_remove(name);
    }
    let ended = output(cargo);
    assert!(ended.status.success(), "{args:?}: {}\n{}", ended.status, told(&ended));
    told(&ended)
}
