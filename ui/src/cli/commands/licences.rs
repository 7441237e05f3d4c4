//! Whose work is in the program.

use serde::Serialize;

use crate::cli::{Failure, Output};
use crate::licences::{LIST, texts_of};

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    version: &'a str,
    licence: &'a str,
}

/// The list, or the texts of one of it. Nobody is asked.
pub(super) fn print(whose: Option<&str>, output: &mut Output) -> Result<(), Failure> {
    let Some(whose) = whose else { return list(output) };
    let unknown = || {
        Failure::Failed(format!("no part of this program is named «{whose}»: `peerdrive licences` lists all"))
    };
    let text = texts_of(whose).ok_or_else(unknown)?;
    if output.is_json() { output.json(&text) } else { output.text(&text) }
}

fn list(output: &mut Output) -> Result<(), Failure> {
    if !output.is_json() {
        return output.text(LIST);
    }
    let parts = |line: &'static str| {
        let mut parts = line.splitn(3, ' ');
        Some(Line { name: parts.next()?, version: parts.next()?, licence: parts.next()? })
    };
    output.json(&LIST.lines().filter_map(parts).collect::<Vec<_>>())
}
