//! One module per group of commands.

mod care;
mod completions;
mod contribution;
mod down;
mod files;
mod group;
mod hours;
mod if_lost;
mod keys;
mod leave;
mod licences;
mod panel;
mod policy;
mod state;
mod tokens;

use std::path::{Path, PathBuf};

use super::arguments::{Arguments, Command, ConflictsCommand, WorkspaceCommand};
use super::connection::Connection;
use super::{Computer, Failure, Output, drive_path};
use crate::answers::Status;
use crate::api::encode_query;

/// Does what was typed.
pub(super) fn run(typed: Arguments, computer: &dyn Computer, output: &mut Output) -> Result<(), Failure> {
    if let Command::Completions { shell } = typed.command {
        return completions::print(shell, output);
    }
    if let Command::Licences { name } = &typed.command {
        return licences::print(name.as_deref(), output);
    }
    let data = data_folder(typed.data, computer)?;
    let mut asked = Asked { data, computer, output };
    match typed.command {
        Command::Up(arguments) => computer.up(&asked.data, &arguments, asked.output),
        Command::Down => down::down(&mut asked),
        Command::Status { if_lost } if if_lost.is_empty() => state::status(&mut asked),
        Command::Status { if_lost } => if_lost::if_lost(&mut asked, if_lost),
        Command::Devices { command: None } => state::devices(&mut asked),
        Command::Devices { command: Some(command) } => group::change_device(&mut asked, &command),
        Command::Invite { role, ticket } => group::invite(&mut asked, role, ticket),
        Command::Join { code, phrase_file, peer } => {
            group::join(&mut asked, code, phrase_file.as_deref(), peer)
        }
        Command::Leave { now, lose, cancel } => {
            leave::leave(&mut asked, crate::answers::LeaveRequest { now, lose, cancel })
        }
        Command::Log { limit } => state::log(&mut asked, limit),
        Command::History { path } => files::history(&mut asked, &path),
        Command::Restore { path, at, to } => files::restore(&mut asked, &path, &at, to.as_deref()),
        Command::Conflicts { command: None } => files::conflicts(&mut asked),
        Command::Conflicts { command: Some(ConflictsCommand::Resolve { path, version }) } => {
            files::resolve(&mut asked, &path, version)
        }
        Command::Where { path } => files::whereabouts(&mut asked, &path),
        Command::Wait { safe: _, synced, path } => care::wait(&mut asked, synced, path.as_deref()),
        Command::Scrub { stop: true, .. } => care::stop_scrub(&mut asked),
        Command::Scrub { rate, .. } => care::scrub(&mut asked, rate),
        Command::Doctor => care::doctor(&mut asked),
        Command::Contribute(arguments) => contribution::contribute(&mut asked, &arguments),
        Command::Hours { command } => hours::run(&mut asked, command),
        Command::Panel { open, scope } => panel::panel(&mut asked, open, scope),
        Command::Token(command) => tokens::run(&mut asked, command),
        Command::Workspace(WorkspaceCommand::Policy(arguments)) => policy::policy(&mut asked, arguments),
        Command::Keys(command) => keys::run(&mut asked, command),
        Command::Completions { shell } => completions::print(shell, asked.output),
        Command::Licences { name } => licences::print(name.as_deref(), asked.output),
    }
}

/// What every command has at hand.
struct Asked<'a> {
    data: PathBuf,
    computer: &'a dyn Computer,
    output: &'a mut Output,
}

impl Asked<'_> {
    fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(&self.data, self.computer)
    }
}

fn data_folder(named: Option<PathBuf>, computer: &dyn Computer) -> Result<PathBuf, Failure> {
    let none = || Failure::Usage("this user has no home folder: say with --data where the data lies".into());
    let folder = named.or_else(|| computer.default_data_dir()).ok_or_else(none)?;
    std::path::absolute(&folder).map_err(|error| Failure::Usage(format!("--data is no path ({error})")))
}

/// `name=<typed as a path of the drive>`, for a query.
fn path_query(daemon: &Connection, name: &str, typed: &Path) -> Result<String, Failure> {
    let status: Status = daemon.get("/status")?;
    let mountpoint = status.workspaces.iter().find_map(|workspace| workspace.mountpoint.as_deref());
    let current = std::env::current_dir().ok();
    let path = drive_path::inside(typed, mountpoint.map(Path::new), current.as_deref())?;
    Ok(format!("{name}={}", encode_query(&path)))
}
