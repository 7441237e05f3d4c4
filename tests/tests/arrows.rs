//! The arrows between the crates: who may use whom, and nothing of one operating system outside `platform`.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Each crate and the crates of this workspace it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("chunkstore", &[]),
    ("ledger", &[]),
    ("transport", &[]),
    ("swarm", &["ledger", "chunkstore"]),
    ("vfs", &["ledger", "chunkstore"]),
    ("platform", &["vfs"]),
    ("ui", &["vfs"]),
    ("daemon", &["chunkstore", "transport", "ledger", "swarm", "vfs", "platform", "ui"]),
    ("tests", &[]),
    ("xtask", &[]),
];

/// Outside crates that a floor must not know.
const MUST_NOT_KNOW: &[(&str, &[&str])] = &[
    // Its disk seam writes many pieces in one system call (rustix).
    ("chunkstore", &["tokio", "fuser", "libc", "axum"]),
    ("ledger", &["tokio", "fuser", "libc", "rustix", "axum", "getrandom"]),
    ("transport", &["fuser", "libc", "axum", "redb"]),
    ("swarm", &["tokio", "quinn", "fuser", "libc", "rustix", "axum", "getrandom", "redb"]),
    ("vfs", &["tokio", "fuser", "libc", "rustix", "axum"]),
    ("platform", &["redb", "chunkstore", "ledger"]),
    ("ui", &["fuser", "libc", "rustix"]),
];

fn metadata() -> Value {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON")
}

fn dependencies(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().expect("a list");
    all.iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn every_crate_uses_only_what_the_map_allows() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("a list");
    let ours: BTreeSet<String> =
        packages.iter().map(|package| package["name"].as_str().expect("a name").to_owned()).collect();
    let mapped: BTreeSet<String> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(ours, mapped, "a crate is missing in the map, or in the workspace");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let allowed = MAY_USE.iter().find(|(mapped, _)| *mapped == name).expect("mapped").1;
        for used in dependencies(package).intersection(&ours) {
            assert!(allowed.contains(&used.as_str()), "{name} must not use {used}");
        }
        let barred =
            MUST_NOT_KNOW.iter().find(|(mapped, _)| *mapped == name).map_or(&[][..], |(_, barred)| barred);
        for used in dependencies(package) {
            assert!(!barred.contains(&used.as_str()), "{name} must not know {used}");
        }
    }
}
