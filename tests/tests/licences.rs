//! The panel names everybody whose work is in the program, with the licence: `ui/panel/licences.txt` is what `cargo metadata` says.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/panel/licences.txt");
/// Set, the file is written and not compared.
const WRITE: &str = "WRITE_LICENCES";

#[test]
fn the_panel_names_every_crate_of_the_program_and_its_licence() {
    let lines = lines();
    assert!(lines.contains("axum ") && lines.lines().count() > 100, "{lines}");
    if std::env::var_os(WRITE).is_some() {
        fs::write(FILE, &lines).unwrap();
    }
    let told = fs::read_to_string(FILE).unwrap();
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (told.lines().collect(), lines.lines().collect());
    let differ: Vec<_> = old.symmetric_difference(&new).collect();
    assert!(differ.is_empty(), "run `{WRITE}=1 cargo test -p tests --test licences`: {differ:?}");
}

/// `name version licence`, of all crates from elsewhere that are linked into the program.
fn lines() -> String {
    let mut asked = Command::new(env!("CARGO"));
    asked.args([
        "metadata",
        "--format-version",
        "1",
        "--offline",
        "--locked",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ]);
    let out = asked.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let by_id = |list: &Value| -> BTreeMap<String, Value> {
        let of = |one: &Value| (one["id"].as_str().unwrap().to_string(), one.clone());
        list.as_array().unwrap().iter().map(of).collect()
    };
    let (packages, nodes) = (by_id(&metadata["packages"]), by_id(&metadata["resolve"]["nodes"]));
    let is_program =
        |(_, package): &(&String, &Value)| package["name"] == "daemon" && package["source"].is_null();
    let mut to_do = vec![packages.iter().find(is_program).unwrap().0.clone()];
    let mut seen = BTreeSet::new();
    while let Some(id) = to_do.pop() {
        for needed in nodes[&id]["deps"].as_array().unwrap() {
            // What only builds or tests it is not in it.
            if needed["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null()) {
                to_do.extend(
                    Some(needed["pkg"].as_str().unwrap().to_string()).filter(|id| !seen.contains(id)),
                );
            }
        }
        seen.insert(id);
    }
    let elsewhere = seen.iter().map(|id| &packages[id]).filter(|package| !package["source"].is_null());
    let text = |value: &Value| value.as_str().unwrap_or("see its source").to_string();
    let line = |package: &Value| {
        [&package["name"], &package["version"], &package["license"]].map(text).join(" ") + "\n"
    };
    elsewhere.map(line).collect::<BTreeSet<_>>().into_iter().collect()
}
