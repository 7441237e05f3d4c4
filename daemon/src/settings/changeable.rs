//! The settings that a person changes in the panel or over the API: all but those that have a page or command of their own.

use std::path::Path;

use toml::Table;
use ui::answers::Setting;

use super::{Settings, SettingsError, Value, read};

/// Key, what it holds (as the panel knows it), and what holds while nobody says otherwise.
const CHANGEABLE: [(&str, &str, &str); 19] = [
    ("site", "text", ""),
    ("history", "time", "30d"),
    ("scrub", "time", "30d"),
    ("cache", "size", "64M"),
    ("peer_up", "rate", "off"),
    ("peer_down", "rate", "off"),
    ("relay", "rate", "2M"),
    ("mountpoint", "text", "~/PeerDrive"),
    ("listen", "text", "port 7338, or another"),
    ("panel", "text", "127.0.0.1:7337"),
    ("panel_passphrase", "truth", "false"),
    ("discovery", "truth", "true"),
    ("port_mapping", "truth", "false"),
    ("metered", "metered", "auto"),
    ("replicas", "truth", "true"),
    ("allow_other", "truth", "false"),
    ("posix_owners", "truth", "false"),
    ("quick_wake", "truth", "true"),
    ("log", "level", "warn"),
];

impl Settings {
    /// What can be changed, and what the file says of it.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn changeable(path: &Path) -> Result<Vec<Setting>, SettingsError> {
        let wrong =
            |error: toml::de::Error| SettingsError::Wrong { path: path.into(), why: error.to_string() };
        let table: Table = read(path)?.parse().map_err(wrong)?;
        let told = |(key, kind, default): (&str, &str, &str)| Setting {
            key: key.into(),
            kind: kind.into(),
            default: default.into(),
            value: table.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), Into::into)),
        };
        Ok(CHANGEABLE.into_iter().map(told).collect())
    }

    /// Changes one of these in the file; it holds from the next start on.
    ///
    /// # Errors
    /// [`SettingsError`]: there is no such setting to be changed here, or the value makes no sense. The file is then as it was.
    pub fn change(path: &Path, key: &str, value: &str) -> Result<(), SettingsError> {
        let Some((key, kind, _)) = CHANGEABLE.into_iter().find(|(known, _, _)| *known == key) else {
            let known = CHANGEABLE.map(|(key, _, _)| key).join(", ");
            let why = format!("{key} is not changed here; these are: {known}");
            return Err(SettingsError::Wrong { path: path.into(), why });
        };
        let value = match (kind, value) {
            ("truth" | "metered", "true") => Value::Truth(true),
            ("truth" | "metered", "false") => Value::Truth(false),
            _ => Value::Text(value.into()),
        };
        Self::store(path, &[(key, value)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_is_told_and_nonsense_leaves_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let value = |key: &str| {
            let all = Settings::changeable(&path).unwrap();
            all.into_iter().find(|setting| setting.key == key).unwrap().value
        };
        assert_eq!(value("history"), None);
        Settings::change(&path, "history", "60d").unwrap();
        Settings::change(&path, "discovery", "false").unwrap();
        Settings::change(&path, "metered", "auto").unwrap();
        assert_eq!((value("history").unwrap(), value("discovery").unwrap()), ("60d".into(), "false".into()));
        let before = std::fs::read(&path).unwrap();
        for (key, wrong) in [
            ("history", "soon"),
            ("discovery", "maybe"),
            ("cache", "1M"),
            ("log", "loud"),
            ("name", "x"),
            ("none", "1"),
        ] {
            assert!(Settings::change(&path, key, wrong).is_err(), "{key} = {wrong}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert!(!Settings::load(&path).unwrap().discovery);
    }

    #[test]
    fn every_default_is_the_one_that_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        for (key, _, default) in CHANGEABLE {
            // These depend on the computer.
            if !["mountpoint", "listen", "panel"].contains(&key) {
                Settings::change(&path, key, default).unwrap();
            }
        }
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
    }
}
