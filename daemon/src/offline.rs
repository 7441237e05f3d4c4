//! What the doctor sees without a daemon: the files, their permissions, the disk.

use std::path::Path;

use ledger::keys::DeviceKey;
use ui::answers::Finding;

use crate::data_folder::DataFolder;
use crate::settings::Settings;
use crate::{drive, identity, web};

/// Looks at everything in the data folder; changes nothing.
pub fn examine(folder: &DataFolder) -> Vec<Finding> {
    let shown = folder.root().display();
    if !folder.root().is_dir() {
        let remedy = "start the daemon once: `peerdrive up` makes it";
        return vec![Finding::warning(format!("there is no data folder {shown}"), remedy)];
    }
    let mut findings = vec![Finding::fine(format!("the data folder is {shown}"))];
    let settings = Settings::load(&folder.config());
    findings.push(match &settings {
        Ok(_) => Finding::fine("config.toml makes sense"),
        Err(error) => Finding::problem(error.to_string(), "mend the line; `docs/cli.md` lists the settings"),
    });
    if folder.device_key().exists() || folder.user_key().exists() {
        findings.extend(keys(folder));
    }
    findings.extend(permissions(folder));
    findings.extend(room(folder, &settings.unwrap_or_default()));
    findings
}

fn keys(folder: &DataFolder) -> Vec<Finding> {
    let copy = "bring it back from a copy of the data folder";
    let device = std::fs::read(folder.device_key()).map_err(|error| error.to_string());
    let device = device.and_then(|file| DeviceKey::from_file_bytes(&file).map_err(|error| error.to_string()));
    let device = match device {
        Ok(key) => Finding::fine(format!("device.key is good: this is device {}", key.id())),
        Err(error) => Finding::problem(format!("device.key: {error}"), copy),
    };
    let user = match identity::user_of(folder) {
        Ok((_, true)) => Finding::fine("user.key is good; a passphrase opens it"),
        Ok((_, false)) => Finding::fine("user.key is good; it opens without a passphrase"),
        Err(error) => Finding::problem(error.to_string(), "rebuild it with `peerdrive keys recover`"),
    };
    let token = match (folder.token().exists(), folder.token().exists().then(|| web::token(folder))) {
        (true, Some(Err(error))) => {
            Finding::problem(error.to_string(), "delete api.token and restart the daemon")
        }
        (true, _) => Finding::fine("api.token is good"),
        (false, _) => Finding::warning("api.token is missing", "restart the daemon: it makes a new one"),
    };
    vec![device, user, token]
}

fn permissions(folder: &DataFolder) -> Option<Finding> {
    let is_open =
        |path: &&std::path::PathBuf| platform::private_file::is_open_to_others(path).unwrap_or(false);
    let secrets = [folder.device_key(), folder.user_key(), folder.token()];
    let open: Vec<String> = secrets.iter().filter(is_open).map(|path| path.display().to_string()).collect();
    if open.is_empty() {
        return None;
    }
    let remedy = "take the others' permissions away: `chmod 600` the files; if others may have read them, \
                  their secrets are known";
    Some(Finding::problem(format!("other users may read {}", open.join(", ")), remedy))
}

fn room(folder: &DataFolder, settings: &Settings) -> Option<Finding> {
    // A disk that does not tell its room shows itself elsewhere.
    let room = drive::room(folder).ok()?;
    let reserve = settings.reserve_of(room.disk_bytes);
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    Some(if room.free_bytes > reserve {
        Finding::fine(format!("the disk has {} free", mebibytes(room.free_bytes)))
    } else {
        let what = format!(
            "the disk has {} free, not more than the {} that are to stay free: nothing new can be stored",
            mebibytes(room.free_bytes),
            mebibytes(reserve)
        );
        Finding::problem(
            what,
            "free some space, or lower the reserve with `peerdrive contribute SIZE --reserve SIZE`",
        )
    })
}

/// Whether one path lies in the other: a drive whose data lies in it would wait for itself.
pub fn entangled(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(dir.path());
        assert!(!examine(&folder).iter().any(Finding::is_problem));
        std::fs::write(folder.config(), "contribut = 1").unwrap();
        std::fs::write(folder.user_key(), "garbage").unwrap();
        let problems: Vec<String> =
            examine(&folder).into_iter().filter(Finding::is_problem).map(|found| found.what).collect();
        let told = problems.join("\n");
        for part in ["did you mean \"contribute\"", "user.key", "device.key"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let none = examine(&DataFolder::new(dir.path().join("none")));
        assert_eq!(none.len(), 1);
    }
}
