//! `docs/semantics.md`, executed line by line on a real mount: the test `s01_…` is of the sentence `[S01]`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

mod attributes;
mod between;
mod crash;
mod files;
mod holes;
mod map;
mod names;
mod open;
mod room;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The page and the tests name the same sentences, each once.
#[test]
fn every_sentence_has_a_test_and_every_test_a_sentence() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(project.join("../docs/semantics.md")).unwrap();
    let promised = numbers(&page, "- [S", "]");
    let mut tested = Vec::new();
    for file in fs::read_dir(project.join("tests/semantics")).unwrap() {
        let code = fs::read_to_string(file.unwrap().path()).unwrap();
        tested.extend(numbers(&code, "\nfn s", "_"));
    }
    let (promised_once, tested_once) = (as_set(&promised), as_set(&tested));
    assert_eq!(promised_once.len(), promised.len(), "a number stands twice in docs/semantics.md");
    assert_eq!(tested_once.len(), tested.len(), "a number has two tests");
    let untested: Vec<_> = promised_once.difference(&tested_once).collect();
    let unpromised: Vec<_> = tested_once.difference(&promised_once).collect();
    assert!(untested.is_empty(), "no test: {untested:?}");
    assert!(unpromised.is_empty(), "no sentence: {unpromised:?}");
}

fn as_set(numbers: &[String]) -> BTreeSet<String> {
    numbers.iter().cloned().collect()
}

/// The two digits between `before` and `after`, wherever they stand so.
fn numbers(text: &str, before: &str, after: &str) -> Vec<String> {
    let parts = text.split(before).skip(1).filter_map(|rest| rest.split_once(after));
    let is_number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    parts.map(|(number, _)| number.to_string()).filter(|number| is_number(number)).collect()
}
