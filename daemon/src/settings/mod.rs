//! Settings: `config.toml`, its defaults, and how the command line changes them.
//!
//! | module | is |
//! |---|---|
//! | `parse` | the file → [`Settings`]; unknown keys are refused naming the nearest right one |
//! | `hours` | the spans of `[[hours]]`, and what they make of the rates |
//! | `changeable` | those that a person changes in the panel |
//! | `spans` | the spans of `[[hours]]` replaced in the file |
//! | `edit` | one value changed in the file, all else of it left as it is |

mod changeable;
mod edit;
mod hours;
mod parse;
mod spans;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ui::answers::HourSpan;
use ui::cli::UpArguments;
use ui::cli::arguments::{LogLevel, Panel};
use ui::units::{ByteRate, ByteSize, Span};

pub use edit::Value;
pub use hours::{Hours, Traffic};

/// Bytes of `config.toml` at most.
const MAX_CONFIG_BYTES: usize = 256 << 10;
/// Port of the panel when nobody says otherwise: `PEER` on a telephone's keys.
pub const PANEL_PORT: u16 = 7337;
/// What stays free on the disk, where that is less than [`RESERVE_PERCENT`] of it.
const RESERVE_BYTES: u64 = 5 << 30;
/// What stays free on small disks, percent.
const RESERVE_PERCENT: u64 = 5;
/// What a new drive may use of the free disk, percent.
const CONTRIBUTE_PERCENT: u64 = 10;
/// Passed on for others when nobody says otherwise: a small part of most lines, and enough to work with.
const RELAY_BYTES_PER_S: u64 = 2 << 20;

/// Whether what goes over the line is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metered {
    /// What the system says; not metered where it says nothing.
    Auto,
    Yes,
    No,
}

/// Everything that can be set. `None` stands for a default that depends on the computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of this computer, as others see it.
    pub name: Option<String>,
    /// Where the drive is mounted.
    pub mountpoint: Option<PathBuf>,
    /// What the drive may use of the disk.
    pub contribute: Option<ByteSize>,
    /// What stays free on it.
    pub reserve: Option<ByteSize>,
    /// Sent to others at most; 0: no limit.
    pub up: ByteRate,
    /// Received from others at most; 0: no limit.
    pub down: ByteRate,
    /// Other rates at some hours, and for each computer.
    pub traffic: Traffic,
    /// Copies wanted of everything, for a drive that the start makes; later the drive's own policy holds.
    pub target: Option<u8>,
    /// Where this computer stands: copies are spread over sites. Empty: nobody said.
    pub site: String,
    /// How long superseded versions and deleted files are kept.
    pub history: Span,
    /// A file that is on this computer alone for so long is warned of; zero: none is.
    pub only_here: Span,
    /// All chunks here are read once in so long, to find what has gone bad; zero: they are not.
    pub scrub: Span,
    /// Memory for caches and write buffers.
    pub cache: ByteSize,
    /// Address for other computers.
    pub listen: Option<SocketAddr>,
    /// Other computers are looked for on the local network.
    pub discovery: bool,
    /// Where panel and API listen.
    pub panel: Option<Panel>,
    /// Opening the panel takes the passphrase of the keys as well, where they have one.
    pub panel_passphrase: bool,
    /// Other users of this computer see the drive.
    pub allow_other: bool,
    /// Owners of files are kept as set.
    pub posix_owners: bool,
    /// Processors are kept awake while the drive is busy.
    pub quick_wake: bool,
    /// The router is asked to let other computers in.
    pub port_mapping: bool,
    /// Passed on at most between others that do not reach each other; 0: nothing.
    pub relay: ByteRate,
    /// Whether the line is metered: then the router is not asked, and nothing is passed on for others.
    pub metered: Metered,
    /// Copies of the group's chunks are kept here; without, what was read here is cached.
    pub replicas: bool,
    /// How much is logged.
    pub log: LogLevel,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: None,
            mountpoint: None,
            contribute: None,
            reserve: None,
            up: ByteRate(0),
            down: ByteRate(0),
            traffic: Traffic::default(),
            target: None,
            site: String::new(),
            history: Span(30 * 86_400),
            only_here: Span(3600),
            scrub: Span(30 * 86_400),
            cache: ByteSize(64 << 20),
            listen: None,
            discovery: true,
            panel: None,
            panel_passphrase: false,
            allow_other: false,
            quick_wake: true,
            port_mapping: false,
            relay: ByteRate(RELAY_BYTES_PER_S),
            metered: Metered::Auto,
            replicas: true,
            posix_owners: false,
            log: LogLevel::Warn,
        }
    }
}

/// What is wrong with `config.toml`.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read or written.
    #[error("cannot {what} {path} ({source}): check the folder's permissions and the disk")]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its content makes no sense.
    #[error("{path}: {why}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What and where.
        why: String,
    },
    /// Spans that were asked for make no sense.
    #[error("hours: {0}")]
    Hours(String),
}

impl Settings {
    /// Reads the file; a missing one is all defaults.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let wrong = |why| SettingsError::Wrong { path: path.into(), why };
        parse::parse(&read(path)?).map_err(wrong)
    }

    /// Changes `values` in the file, all else of it left as it is.
    ///
    /// # Errors
    /// [`SettingsError`]; the file is then as it was.
    pub fn store(path: &Path, values: &[(&'static str, Value)]) -> Result<(), SettingsError> {
        let wrong = |why| SettingsError::Wrong { path: path.into(), why };
        let before = read(path)?;
        let mut text = before.clone();
        for (key, value) in values {
            text = edit::set(&text, key, value);
        }
        if text == before {
            return Ok(());
        }
        // A file written in an unusual way must not be broken by a change: what is written must read back.
        edit::check(&text, values).map_err(wrong)?;
        write(path, &text)
    }

    /// Puts other spans in the place of the `[[hours]]` of the file, all else of it left as it is.
    ///
    /// # Errors
    /// [`SettingsError`]: a span makes no sense, there are too many; the file is then as it was.
    pub fn store_hours(path: &Path, spans: &[HourSpan]) -> Result<Vec<Hours>, SettingsError> {
        let wrong = |why| SettingsError::Wrong { path: path.into(), why };
        let next = hours::asked(spans).map_err(SettingsError::Hours)?;
        let before = read(path)?;
        parse::parse(&before).map_err(wrong)?;
        let text = spans::replace(&before, &next).map_err(wrong)?;
        write(path, &text)?;
        Ok(next)
    }

    /// These settings with what the command line says, and which of it is kept for later starts.
    #[must_use]
    pub fn with(mut self, up: &UpArguments) -> (Self, Vec<(&'static str, Value)>) {
        let mut kept = Vec::new();
        if let Some(name) = &up.name {
            self.name = Some(name.clone());
            kept.push(("name", Value::Text(name.clone())));
        }
        if let Some(size) = up.contribute {
            self.contribute = Some(size);
            kept.push(("contribute", Value::Text(size.to_string())));
        }
        // Not kept: what was decided is in the drive itself.
        self.target = up.target.or(self.target);
        if let Some(listen) = up.listen {
            self.listen = Some(listen);
            kept.push(("listen", Value::Text(listen.to_string())));
        }
        self.mountpoint = up.mountpoint.clone().or(self.mountpoint);
        self.panel = up.panel.or(self.panel);
        self.log = up.log.unwrap_or(self.log);
        self.discovery &= !up.no_discovery;
        self.allow_other |= up.allow_other;
        self.posix_owners |= up.posix_owners;
        (self, kept)
    }

    /// What this computer is called.
    pub fn computer_name(&self) -> String {
        let named = self.name.clone().or_else(platform::computer_name::computer_name);
        named.unwrap_or_else(|| "this computer".into())
    }

    /// What stays free on a disk of this size.
    pub fn reserve_of(&self, disk_bytes: u64) -> u64 {
        self.reserve.map_or_else(|| RESERVE_BYTES.min(disk_bytes / 100 * RESERVE_PERCENT), |size| size.0)
    }

    /// Opened chunks kept in memory.
    pub fn chunk_cache_bytes(&self) -> u64 {
        self.cache.0 / 8
    }

    /// Writes kept in memory.
    pub fn write_buffer_bytes(&self) -> usize {
        usize::try_from(self.cache.0 / 2).unwrap_or(usize::MAX)
    }
}

/// What a new drive may use of a disk with so much free.
pub fn first_contribution(free_bytes: u64) -> ByteSize {
    // In whole MiB, so that it is easy to read in the file.
    ByteSize((free_bytes / 100 * CONTRIBUTE_PERCENT) >> 20 << 20)
}

fn write(path: &Path, text: &str) -> Result<(), SettingsError> {
    let failed = |source| SettingsError::Io { what: "write", path: path.into(), source };
    platform::private_file::replace(path, text.as_bytes()).map_err(failed)
}

fn read(path: &Path) -> Result<String, SettingsError> {
    let failed = |source| SettingsError::Io { what: "read", path: path.into(), source };
    let bytes = match platform::private_file::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        read => read.map_err(failed)?,
    };
    if bytes.len() > MAX_CONFIG_BYTES {
        return Err(SettingsError::Wrong { path: path.into(), why: "this is too long for settings".into() });
    }
    let no_text = |_| SettingsError::Wrong { path: path.into(), why: "this is no UTF-8 text".into() };
    String::from_utf8(bytes).map_err(no_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_suit_a_laptop() {
        let settings = Settings::default();
        assert_eq!(settings.reserve_of(4 << 40), 5 << 30);
        assert_eq!(settings.reserve_of(20_000_000_000), 1_000_000_000);
        assert_eq!(first_contribution(100 << 30), ByteSize(10 << 30));
        assert_eq!(settings.history.to_string(), "30d".parse::<Span>().unwrap().to_string());
        assert_eq!((settings.chunk_cache_bytes(), settings.write_buffer_bytes()), (8 << 20, 32 << 20));
    }

    #[test]
    fn a_missing_file_is_all_defaults_and_a_change_makes_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        let change = [("contribute", Value::Text("10G".into())), ("site", Value::Text("attic".into()))];
        Settings::store(&path, &change).unwrap();
        let read = Settings::load(&path).unwrap();
        assert_eq!((read.contribute, read.site.as_str()), (Some(ByteSize(10 << 30)), "attic"));
    }

    #[test]
    fn a_file_that_a_change_would_break_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let unusual = "name = \"\"\"\nsite = 5\n\"\"\"\n";
        std::fs::write(&path, unusual).unwrap();
        assert!(Settings::store(&path, &[("site", Value::Text("attic".into()))]).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), unusual);
    }

    #[test]
    fn the_command_line_wins_and_some_of_it_is_kept() {
        let up = UpArguments {
            name: Some("box".into()),
            target: Some(2),
            no_discovery: true,
            log: Some(LogLevel::Debug),
            ..UpArguments::default()
        };
        let (settings, kept) = Settings::default().with(&up);
        assert_eq!((settings.name.as_deref(), settings.target), (Some("box"), Some(2)));
        assert!(!settings.discovery && settings.log == LogLevel::Debug);
        let keys: Vec<&str> = kept.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["name"]);
    }
}
