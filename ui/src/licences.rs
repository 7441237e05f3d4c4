//! Whose work is in the program, and the texts of their licences, which ask to travel with it.
//!
//! ```text
//! panel/licences.txt        `NAME VERSION LICENCE`, a line each
//! licences/texts.json.zst   [{"of": ["NAME VERSION", ...], "text": "..."}, ...]
//! ```
//!
//! Both are written by `WRITE_LICENCES=1 cargo test -p tests --test licences`, which also finds them out of date.

use serde::Deserialize;

/// A line for each crate from elsewhere that is linked into the program: name, version, SPDX licence.
pub const LIST: &str = include_str!("../panel/licences.txt");
const TEXTS: &[u8] = include_bytes!("../licences/texts.json.zst");
/// What [`TEXTS`] may become: they are some 700 kB.
const TEXTS_MAX_BYTES: usize = 8 << 20;
/// Between two texts of one crate.
const RULE: &str = "\n────────\n\n";

#[derive(Deserialize)]
struct Text {
    of: Vec<String>,
    text: String,
}

/// The texts of a crate, given as `NAME VERSION`, `NAME`, or `peerdrive` for the program's own. They are unpacked anew at each call, and
/// nothing of them stays in memory. None for what is not in the program.
#[must_use]
pub fn texts_of(whose: &str) -> Option<String> {
    let is_meant = |of: &String| of == whose || of.split_once(' ').is_some_and(|(name, _)| name == whose);
    let found: Vec<_> = texts().into_iter().filter(|text| text.of.iter().any(is_meant)).collect();
    let found: Vec<_> = found.into_iter().map(|text| text.text).collect();
    (!found.is_empty()).then(|| found.join(RULE))
}

fn texts() -> Vec<Text> {
    let json = zstd::bulk::decompress(TEXTS, TEXTS_MAX_BYTES)
        .expect("it is part of the program, and a test reads it");
    serde_json::from_slice(&json).expect("it is part of the program, and a test reads it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_list_has_a_text() {
        for line in LIST.lines() {
            let whose: Vec<_> = line.splitn(3, ' ').take(2).collect();
            let text = texts_of(&whose.join(" ")).unwrap_or_else(|| panic!("{line} has no text"));
            assert!(text.len() > 40, "{line}: {text}");
        }
        assert!(texts_of("peerdrive").unwrap().contains("Permission is hereby granted"));
        assert!(texts_of("axum").unwrap().contains("Copyright"));
        assert_eq!(texts_of("no such crate"), None);
    }
}
