//! What people touch: the command line and the API it speaks with the daemon.
//!
//! ```text
//!   person ─▶ cli ──HTTP on loopback, token──▶ api ─▶ api::Host (the daemon) ─▶ vfs::Drive
//!                    answers: the JSON both sides name the same way
//! ```
//!
//! | module | is |
//! |---|---|
//! | [`cli`] | the commands: what they take, ask and print |
//! | [`api`] | the REST API: its guard, its routes, and [`api::Host`], what it asks of the daemon |
//! | [`answers`] | the JSON of both, with the names scripts rely on |
//! | [`licences`] | whose work is in the program, and the texts of their licences |
//! | [`moment`] | times as programs and people write them |
//! | [`units`] | sizes `10G`, rates `5M`, times `24h` |

pub mod answers;
pub mod api;
pub mod cli;
pub mod licences;
pub mod moment;
pub mod units;
pub mod weekdays;
