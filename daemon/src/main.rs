//! `peerdrive`: the program. Commands are `ui`'s; this crate is the daemon behind `up`, and what the commands need of
//! this computer.
//!
//! ```text
//! up:  settings ─▶ folder, lock ─▶ keys ─▶ workspace ─▶ drive ─▶ group ─▶ API ─▶ mount ─▶ "ready"
//! end: API off ─▶ unmount ─▶ group ends ─▶ drive settled and closed ─▶ lock free
//! ```
//!
//! | module | is |
//! |---|---|
//! | `up` | the order of starting and ending |
//! | `settings` | `config.toml` and its defaults |
//! | `data_folder` | what lies where in the data folder |
//! | `identity` | device key, user keys, keyring: made, opened, resealed, recovered |
//! | `drive` | the drive opened as the settings say |
//! | `group` | the other computers: links, pairing, the swarm's driver |
//! | `joining` | a join prepared beside what is there, and moved into place |
//! | `web` | the API's socket, token and address file |
//! | `host` | the daemon as the API sees it |
//! | `stopping` | who asked the daemon to end, and hurrying it |
//! | `idle` | memory given back when work ends |
//! | `offline` | what the doctor sees without a daemon |

mod computer;
mod data_folder;
mod drive;
mod entropy;
mod group;
mod host;
mod hurry;
mod identity;
mod idle;
mod joining;
mod leaving;
mod logging;
mod moment;
mod offline;
mod only_here;
mod scrubbing;
mod settings;
mod stopping;
mod up;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    platform::memory::tune_allocator();
    ExitCode::from(ui::cli::run(std::env::args_os(), &computer::ThisComputer))
}
