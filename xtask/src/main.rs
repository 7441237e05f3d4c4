//! The chores of the project, one front door for people and for CI: `cargo xtask <chore>`.
//!
//! | chore | does |
//! |---|---|
//! | `tools [--long]` | installs what the tests need and is missing: Debian packages, conformance programs |
//! | `fmt` | is everything formatted? |
//! | `lint` | clippy over everything, warnings are errors |
//! | `deny` | licences, sources and doubled versions of the dependencies |
//! | `test [FILTER..]` | builds the release program once and runs every test against it |
//! | `ci` | all of them, in this order |
//! | `soak [--hours H]` | simulated groups under new seeds, on all processors, for so long (1 hour) |
//! | `fuzz [SECONDS] [TARGET..]` | every decoder against made-up input, each target for so long (60 s) |

mod chores;
mod fuzz;
mod packages;
mod programs;
mod run;
mod soak;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask tools [--long] | fmt | lint | deny | test [FILTER..] | ci | soak [--hours H] | fuzz [SECONDS] [TARGET..]";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((chore, rest)) = args.split_first() else { bail!(USAGE) };
    let long = chore == "tools" && rest == ["--long"];
    if !["test", "fuzz", "soak"].contains(&chore.as_str()) && !rest.is_empty() && !long {
        bail!("`{chore}` takes no arguments; {USAGE}");
    }
    match chore.as_str() {
        "tools" => chores::tools(long),
        "fmt" => chores::fmt(),
        "lint" => chores::lint(),
        "deny" => chores::deny(),
        "test" => chores::test(rest),
        "ci" => chores::ci(),
        "soak" => soak::soak(rest),
        "fuzz" => fuzz::fuzz(rest),
        _ => bail!(USAGE),
    }
}
