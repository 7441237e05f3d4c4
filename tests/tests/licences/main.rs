//! The program names everybody whose work is in it, with the licence and its text: `ui/panel/licences.txt` is what `cargo metadata`
//! says, `ui/licences/texts.json.zst` what the crates ship.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/panel/licences.txt");
const TEXTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/licences/texts.json.zst");
/// What they may add to the program.
const TEXTS_MAX_BYTES: usize = 300_000;
const COMPRESSION: i32 = 19;
/// Set, the files are written before they are compared.
const WRITE: &str = "WRITE_LICENCES";

#[test]
fn the_panel_names_every_crate_of_the_program_and_its_licence() {
    let metadata = metadata();
    let lines = lines(&packages(&metadata));
    assert!(lines.contains("axum ") && lines.lines().count() > 100, "{lines}");
    if std::env::var_os(WRITE).is_some() {
        fs::write(FILE, &lines).unwrap();
    }
    let told = fs::read_to_string(FILE).unwrap();
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (told.lines().collect(), lines.lines().collect());
    let differ: Vec<_> = old.symmetric_difference(&new).collect();
    assert!(differ.is_empty(), "run `{WRITE}=1 cargo test -p tests --test licences`: {differ:?}");
}

#[test]
fn the_text_of_every_licence_travels_with_the_program() {
    let metadata = metadata();
    let packages = packages(&metadata);
    let texts = texts::texts(&packages);
    if std::env::var_os(WRITE).is_some() {
        let json = serde_json::to_vec(&texts).unwrap();
        fs::write(TEXTS, zstd::bulk::compress(&json, COMPRESSION).unwrap()).unwrap();
    }
    let kept = fs::read(TEXTS).unwrap();
    let bytes = kept.len();
    let kept: Value = serde_json::from_slice(&zstd::stream::decode_all(&kept[..]).unwrap()).unwrap();
    let whose = |texts: &Value| -> BTreeSet<String> {
        let of = texts.as_array().unwrap().iter().flat_map(|one| one["of"].as_array().unwrap());
        of.map(|whose| whose.as_str().unwrap().to_string()).collect()
    };
    let wanted: BTreeSet<String> = packages
        .iter()
        .map(|package| {
            format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap())
        })
        .chain(["peerdrive".to_string()])
        .collect();
    let without: Vec<_> = wanted.symmetric_difference(&whose(&kept)).cloned().collect();
    assert!(without.is_empty(), "run `{WRITE}=1 cargo test -p tests --test licences`: {without:?}");
    assert!(kept == texts, "run `{WRITE}=1 cargo test -p tests --test licences`: a text is another one");
    assert!(bytes < TEXTS_MAX_BYTES, "{bytes} bytes");
    tests::report(format!(
        "{} texts of {} crates, {bytes} bytes",
        kept.as_array().unwrap().len(),
        packages.len()
    ));
}

fn metadata() -> Value {
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
    serde_json::from_slice(&out.stdout).unwrap()
}

/// All crates from elsewhere that are linked into the program.
fn packages(metadata: &Value) -> Vec<&Value> {
    let (packages, nodes) = (by_id(&metadata["packages"]), by_id(&metadata["resolve"]["nodes"]));
    let is_program =
        |(_, package): &(&String, &&Value)| package["name"] == "daemon" && package["source"].is_null();
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
    seen.iter().map(|id| packages[id]).filter(|package| !package["source"].is_null()).collect()
}

fn by_id(list: &Value) -> BTreeMap<String, &Value> {
    list.as_array().unwrap().iter().map(|one| (one["id"].as_str().unwrap().to_string(), one)).collect()
}

/// `name version licence`.
fn lines(packages: &[&Value]) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("see its source").to_string();
    let line = |package: &&Value| {
        [&package["name"], &package["version"], &package["license"]].map(text).join(" ") + "\n"
    };
    packages.iter().map(line).collect::<BTreeSet<_>>().into_iter().collect()
}
