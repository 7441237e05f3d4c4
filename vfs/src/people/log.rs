//! What happened, newest first.

use ledger::{Action, VersionId};

use super::version_text::{from_text, to_text};
use super::{Health, LogLine, PeopleError, told};
use crate::Drive;
use crate::core::wall_time;

impl Drive {
    /// At most `limit` edits, newest first: the latest, or those before the line of this id. A drive that turned read-only says so
    /// before the latest, in a line more.
    ///
    /// # Errors
    /// The log cannot be read, or `before` is no id of a line.
    pub fn log(&self, limit: usize, before: Option<&str>) -> Result<Vec<LogLine>, PeopleError> {
        let no_line = |text| PeopleError(format!("«{text}» is no line of the log: take the id of one"));
        let before = before.map(|text| from_text(text).ok_or_else(|| no_line(text))).transpose()?;
        let core = &self.core;
        let ledger = core.ledger.read();
        let wrong = |error| told("the log cannot be read", core.ledger_error(&error));
        let lines = ledger.log(limit, before.map(|VersionId(stamp)| stamp)).map_err(wrong)?;
        let mut said = Vec::with_capacity(lines.len() + 1);
        if let (Health::ReadOnly { why }, None) = (core.health(), before) {
            said.push(LogLine {
                id: None,
                time: core.failed_at().unwrap_or_else(wall_time),
                device: core.device.clone(),
                user: None,
                what: format!("the store failed and the drive is read-only: {why}"),
                path: None,
            });
        }
        let edits: Result<Vec<_>, PeopleError> = lines
            .into_iter()
            .map(|line| {
                let path = match line.ino {
                    Some(ino) => ledger.path(ino).map_err(wrong)?,
                    None => None,
                };
                let known = ledger.roster().device(line.device);
                let member = known.and_then(|device| ledger.roster().member(&device.user));
                Ok(LogLine {
                    id: Some(to_text(VersionId(line.stamp))),
                    user: member.and_then(|member| member.name(ledger.keyring())),
                    time: line.time,
                    device: core.device_name(&ledger, line.device),
                    what: in_words(&line.action),
                    path,
                })
            })
            .collect();
        said.extend(edits?);
        Ok(said)
    }
}

fn in_words(action: &Action) -> String {
    let quoted = |name: &[u8]| format!("«{}»", String::from_utf8_lossy(name));
    match action {
        Action::Created { kind, name } => format!("made the {} {}", kind_in_words(*kind), quoted(name)),
        Action::Linked { name } => format!("linked as {}", quoted(name)),
        Action::Moved { from, to } if from == to => format!("moved {}", quoted(to)),
        Action::Moved { from, to } => format!("renamed {} to {}", quoted(from), quoted(to)),
        Action::Deleted { name } => format!("deleted {}", quoted(name)),
        Action::Attributes => "changed attributes".into(),
        Action::Xattr { name } => format!("changed the extended attribute {}", quoted(name)),
        Action::Wrote { size } => format!("wrote {size} bytes"),
        Action::Passed => "gave up old content".into(),
        Action::Roster => "changed members, devices or keys".into(),
    }
}

fn kind_in_words(kind: crate::Kind) -> &'static str {
    match kind {
        crate::Kind::File => "file",
        crate::Kind::Directory => "folder",
        crate::Kind::Symlink => "symlink",
        crate::Kind::Fifo => "fifo",
        crate::Kind::Socket => "socket",
        crate::Kind::CharDevice | crate::Kind::BlockDevice => "device node",
    }
}
