//! The texts that licences ask to travel with the program: what each crate ships, the same text once; where one ships none, the
//! standard text of its licence with its authors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// How names of such files begin, in small letters.
const NAMES: [&str; 6] = ["license", "licence", "copying", "notice", "unlicense", "copyright"];
/// Sources that a crate carries have licences of their own in their folders: `zstd-sys` has `zstd/LICENSE`.
const DEPTH_MAX: usize = 4;
/// Texts of which a copy is kept here, with a place for the authors.
const STANDARD: [(&str, &str); 2] =
    [("MIT", include_str!("standard/MIT.txt")), ("BSD-3-Clause", include_str!("standard/BSD-3-Clause.txt"))];
const HOLDERS: &str = "Copyright (c) <copyright holders>";

/// `[{"of": ["NAME VERSION", ...], "text": ...}, ...]`, each text once.
pub fn texts(packages: &[&Value]) -> Value {
    let mut of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut put = |text: String, whose: String| of.entry(text).or_default().insert(whose);
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        put(tidy(&fs::read_to_string(Path::new(ROOT).join(name)).unwrap()), "peerdrive".into());
    }
    for package in packages {
        let whose = format!("{} {}", text(package, "name"), text(package, "version"));
        let folder = Path::new(text(package, "manifest_path")).parent().unwrap();
        let shipped = files(folder, DEPTH_MAX);
        if shipped.is_empty() {
            put(standard(package), whose);
            continue;
        }
        for file in shipped {
            put(tidy(&String::from_utf8_lossy(&fs::read(file).unwrap())), whose.clone());
        }
    }
    let mut told: Vec<_> = of.into_iter().map(|(text, of)| (of, text)).collect();
    told.sort();
    told.into_iter().map(|(of, text)| json!({ "of": of, "text": text })).collect()
}

fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

/// Line ends and empty lines around it make no other text.
fn tidy(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_string() + "\n"
}

fn files(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
        if path.is_dir() {
            if depth > 1 && !["tests", "target", "benches"].contains(&name.as_str()) {
                found.extend(files(&path, depth - 1));
            }
        } else if NAMES.iter().any(|begin| name.starts_with(begin)) && is_text(&name) {
            found.push(path);
        }
    }
    found
}

fn is_text(name: &str) -> bool {
    !["rs", "toml", "html", "json", "yml", "py", "sh", "h", "c"]
        .iter()
        .any(|end| name.ends_with(&format!(".{end}")))
}

fn standard(package: &Value) -> String {
    let (name, licence) = (text(package, "name"), text(package, "license"));
    let authors: Vec<_> = package["authors"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let authors = if authors.is_empty() { format!("the authors of {name}") } else { authors.join(", ") };
    for (id, standard) in STANDARD {
        if licence.split(['/', ' ']).any(|one| one == id) {
            assert!(standard.contains(HOLDERS), "{id}");
            return standard.replace(HOLDERS, &format!("Copyright (c) {authors}"));
        }
    }
    // It gives up all rights and asks for nothing.
    assert_eq!(licence, "CC0-1.0", "{name} ships no licence: put the standard text of {licence} here");
    format!(
        "{name} is dedicated to the public domain by {authors}: CC0 1.0 Universal, https://creativecommons.org/publicdomain/zero/1.0/legalcode\n"
    )
}
