//! The user's keys: passphrase, recovery phrase, locking.

use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Asked, down};
use crate::answers::{Done, Keys, PassphraseChange, Recovery, RecoveryRequest};
use crate::cli::Failure;
use crate::cli::arguments::KeysCommand;
use crate::cli::secret;

pub(super) fn run(asked: &mut Asked<'_>, command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Passphrase { old_passphrase_file, new_passphrase_file, remove } => {
            passphrase(asked, old_passphrase_file.as_deref(), new_passphrase_file.as_deref(), remove)
        }
        KeysCommand::Recovery { passphrase_file } => recovery(asked, passphrase_file.as_deref()),
        KeysCommand::Lock => lock(asked),
        KeysCommand::Recover { phrase_file, new_passphrase_file } => {
            recover(asked, phrase_file.as_deref(), new_passphrase_file.as_deref())
        }
    }
}

fn passphrase(
    asked: &mut Asked<'_>,
    old_file: Option<&Path>,
    new_file: Option<&Path>,
    remove: bool,
) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let before: Keys = daemon.get("/keys")?;
    let old = present(asked, before.locked, old_file)?;
    let new = if remove { None } else { Some(chosen(asked, new_file)?) };
    let change = PassphraseChange {
        old: old.map(|secret| secret.as_str().to_string()),
        new: new.map(|secret| secret.as_str().to_string()),
    };
    let after: Keys = daemon.post("/keys/passphrase", &change)?;
    if asked.output.is_json() {
        return asked.output.json(&after);
    }
    let told = match (before.locked, after.locked) {
        (false, true) => "Your keys have a passphrase now: `peerdrive up` asks for it.",
        (true, true) => "The passphrase is changed.",
        (_, false) => "Your keys have no passphrase now: the drive opens without a question.",
    };
    asked.output.line(told)?;
    if after.locked && !before.locked {
        asked
            .output
            .hint("If it is forgotten, only the recovery phrase helps: `peerdrive keys recovery` shows it.");
    }
    Ok(())
}

fn recovery(asked: &mut Asked<'_>, file: Option<&Path>) -> Result<(), Failure> {
    let daemon = asked.connect()?;
    let keys: Keys = daemon.get("/keys")?;
    let passphrase = present(asked, keys.locked, file)?;
    let request = RecoveryRequest { passphrase: passphrase.map(|secret| secret.as_str().to_string()) };
    let answer: Recovery = daemon.post("/keys/recovery", &request)?;
    if asked.output.is_json() {
        return asked.output.json(&answer);
    }
    let words: Vec<&str> = answer.phrase.split_whitespace().collect();
    for (at, four) in words.chunks(4).enumerate() {
        let numbered: Vec<String> =
            four.iter().enumerate().map(|(n, word)| format!("{:>2} {word:<10}", at * 4 + n + 1)).collect();
        asked.output.line(numbered.join(" ").trim_end())?;
    }
    asked.output.flush()?;
    asked.output.hint("Write these words on paper and keep it safe: whoever has them has your keys.");
    Ok(())
}

fn lock(asked: &mut Asked<'_>) -> Result<(), Failure> {
    let _: Done = asked.connect()?.post("/keys/lock", &Done {})?;
    down::wait_until_gone(asked)?;
    if asked.output.is_json() {
        return asked.output.json(&Done {});
    }
    asked.output.line("The drive is down and locked: `peerdrive up` asks for the passphrase.")
}

fn recover(
    asked: &mut Asked<'_>,
    phrase_file: Option<&Path>,
    new_file: Option<&Path>,
) -> Result<(), Failure> {
    if asked.computer.daemon_runs(&asked.data) {
        return Err(Failure::Failed("the daemon runs: stop it first with `peerdrive down`".into()));
    }
    let phrase = match phrase_file {
        Some(file) => secret::all_of(file)?,
        None => ask(asked, "The 24 words: ")?,
    };
    let new = new_file.map(secret::first_line).transpose()?;
    asked.computer.recover_keys(&asked.data, &phrase, new.as_deref().map(String::as_str))?;
    if asked.output.is_json() {
        asked.output.json(&Done {})
    } else {
        asked.output.line("Your keys are back.")
    }
}

/// The passphrase that holds now, from its file or the terminal; none where there is none.
fn present(
    asked: &Asked<'_>,
    locked: bool,
    file: Option<&Path>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    match file {
        Some(file) => secret::first_line(file).map(Some),
        None if locked => ask(asked, "Passphrase: ").map(Some),
        None => Ok(None),
    }
}

/// The passphrase that is to hold, from its file or twice from the terminal.
fn chosen(asked: &Asked<'_>, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    let Some(file) = file else {
        let first = ask(asked, "New passphrase: ")?;
        let again = ask(asked, "The same again: ")?;
        if *first != *again {
            return Err(Failure::Failed("the two differ, and nothing was changed: try again".into()));
        }
        return Ok(first);
    };
    secret::first_line(file)
}

fn ask(asked: &Asked<'_>, question: &str) -> Result<Zeroizing<String>, Failure> {
    asked.computer.ask_secret(question).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Failure::Failed("stopped: nothing was changed".into()),
        _ => Failure::Failed(format!(
            "cannot ask on a terminal ({error}): give the secret in a file, see --help"
        )),
    })
}
