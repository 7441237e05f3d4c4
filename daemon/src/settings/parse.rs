//! `config.toml` → [`Settings`].

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use ledger::roster::{COPIES_MAX, COPIES_MIN};
use toml::{Table, Value};

use super::{Metered, Settings, hours};

/// Every key, as section 8 of the design names them.
pub(super) const KEYS: [&str; 27] = [
    "name",
    "mountpoint",
    "contribute",
    "reserve",
    "up",
    "down",
    "peer_up",
    "peer_down",
    "hours",
    "target",
    "site",
    "history",
    "only_here",
    "scrub",
    "cache",
    "listen",
    "discovery",
    "panel",
    "panel_passphrase",
    "allow_other",
    "posix_owners",
    "quick_wake",
    "port_mapping",
    "relay",
    "metered",
    "replicas",
    "log",
];
/// A key that differs in more letters than this is no typing mistake.
const MAX_MISTYPED_LETTERS: usize = 4;
/// Bytes of a site's name at most.
const MAX_SITE_BYTES: usize = 32;
/// Memory for caches at least: below, nothing works well.
const MIN_CACHE_BYTES: u64 = 8 << 20;
/// Characters of a computer's name at most.
const MAX_NAME_CHARS: usize = 64;

/// Reads the settings of a file's content.
///
/// # Errors
/// One line: which key, what is wrong, what is right.
pub(super) fn parse(text: &str) -> Result<Settings, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| explained(text, &error))?;
    let mut settings = Settings::default();
    for (key, value) in &table {
        set(&mut settings, key, value).map_err(|why| format!("{key}: {why}"))?;
    }
    Ok(settings)
}

fn set(settings: &mut Settings, key: &str, value: &Value) -> Result<(), String> {
    match key {
        "name" => settings.name = Some(name(value)?),
        "mountpoint" => settings.mountpoint = Some(path(value)?),
        "contribute" => settings.contribute = Some(measured(value)?),
        "reserve" => settings.reserve = Some(measured(value)?),
        "up" => settings.up = measured(value)?,
        "down" => settings.down = measured(value)?,
        "peer_up" => settings.traffic.peer_up = measured(value)?,
        "peer_down" => settings.traffic.peer_down = measured(value)?,
        "hours" => settings.traffic.hours = hours::all(value)?,
        "target" => settings.target = Some(target(value)?),
        "site" => settings.site = site(value)?,
        "history" => settings.history = written(value)?,
        "only_here" => settings.only_here = written(value)?,
        "scrub" => settings.scrub = written(value)?,
        "cache" => settings.cache = cache(value)?,
        "listen" => settings.listen = Some(written(value)?),
        "discovery" => settings.discovery = truth(value)?,
        "panel" => settings.panel = Some(written(value)?),
        "allow_other" => settings.allow_other = truth(value)?,
        "posix_owners" => settings.posix_owners = truth(value)?,
        "panel_passphrase" => settings.panel_passphrase = truth(value)?,
        "quick_wake" => settings.quick_wake = truth(value)?,
        "port_mapping" => settings.port_mapping = truth(value)?,
        "relay" => settings.relay = measured(value)?,
        "metered" => settings.metered = metered(value)?,
        "replicas" => settings.replicas = truth(value)?,
        "log" => settings.log = written(value)?,
        _ => return Err(unknown(key)),
    }
    Ok(())
}

fn unknown(key: &str) -> String {
    let distance = |known: &&&str| strsim::damerau_levenshtein(&key.to_lowercase(), known);
    let nearest = KEYS.iter().min_by_key(distance).filter(|known| distance(known) <= MAX_MISTYPED_LETTERS);
    match nearest {
        Some(nearest) => format!("there is no such setting; did you mean \"{nearest}\"?"),
        None => format!("there is no such setting; there are {}", KEYS.join(", ")),
    }
}

pub(super) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("it must be a text in quotes, not {}", kind(value)))
}

fn written<T: FromStr>(value: &Value) -> Result<T, String>
where
    T::Err: Display,
{
    text(value)?.parse().map_err(|error: T::Err| error.to_string())
}

/// A size or rate: `"10G"`, or a plain number of bytes.
pub(super) fn measured<T: FromStr>(value: &Value) -> Result<T, String>
where
    T::Err: Display,
{
    match value.as_integer() {
        Some(bytes) => bytes.to_string().parse().map_err(|error: T::Err| error.to_string()),
        None => written(value),
    }
}

fn truth(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("it must be true or false, not {}", kind(value)))
}

fn metered(value: &Value) -> Result<Metered, String> {
    match value {
        Value::Boolean(true) => Ok(Metered::Yes),
        Value::Boolean(false) => Ok(Metered::No),
        Value::String(text) if text == "auto" => Ok(Metered::Auto),
        _ => Err("it must be true, false or \"auto\"".into()),
    }
}

fn name(value: &Value) -> Result<String, String> {
    let name = text(value)?.trim();
    let fits =
        !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control);
    if fits {
        Ok(name.into())
    } else {
        Err(format!("a name has 1 to {MAX_NAME_CHARS} characters on one line"))
    }
}

fn site(value: &Value) -> Result<String, String> {
    let site = text(value)?.trim();
    if site.len() <= MAX_SITE_BYTES && !site.chars().any(char::is_control) {
        Ok(site.into())
    } else {
        Err(format!("a site has at most {MAX_SITE_BYTES} bytes on one line"))
    }
}

fn path(value: &Value) -> Result<PathBuf, String> {
    let path = PathBuf::from(text(value)?);
    if path.is_absolute() { Ok(path) } else { Err("it must be a whole path, beginning at the root".into()) }
}

fn target(value: &Value) -> Result<u8, String> {
    let number = value.as_integer().and_then(|number| u8::try_from(number).ok());
    let number = number.filter(|number| (COPIES_MIN..=COPIES_MAX).contains(number));
    number.ok_or_else(|| format!("it must be a number from {COPIES_MIN} to {COPIES_MAX}"))
}

fn cache(value: &Value) -> Result<ui::units::ByteSize, String> {
    let size: ui::units::ByteSize = measured(value)?;
    if size.0 >= MIN_CACHE_BYTES { Ok(size) } else { Err("it must be 8M or more".into()) }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

/// The parser's error in one line, with the line it is in.
fn explained(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!("line {line}: {}", error.message().replace('\n', ", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ui::cli::arguments::{LogLevel, Panel};
    use ui::units::{ByteRate, ByteSize, Span};

    use super::super::Traffic;
    use super::*;

    #[test]
    fn every_key_is_understood() {
        let text = r#"
            name = "attic"
            mountpoint = "/mnt/drive"
            contribute = "100G"
            reserve = 1073741824
            up = "5M"
            down = "off"
            peer_up = "2M"
            peer_down = "3M"
            hours = [{ from = "08:00", to = "18:00", up = "1M" }]
            target = 2
            site = "cellar"
            history = "7d"
            only_here = "2h"
            scrub = "60d"
            cache = "128M"
            listen = "0.0.0.0:4001"
            discovery = false
            panel = "off"
            panel_passphrase = true
            allow_other = true
            quick_wake = false
            port_mapping = true
            relay = "1M"
            metered = true
            replicas = false
            posix_owners = true
            log = "info"
        "#;
        let span: Table = "hours = [{ from = '08:00', to = '18:00', up = '1M' }]".parse().unwrap();
        let expected = Settings {
            name: Some("attic".into()),
            mountpoint: Some("/mnt/drive".into()),
            contribute: Some(ByteSize(100 << 30)),
            reserve: Some(ByteSize(1 << 30)),
            up: ByteRate(5 << 20),
            down: ByteRate(0),
            traffic: Traffic {
                hours: hours::all(&span["hours"]).unwrap(),
                peer_up: ByteRate(2 << 20),
                peer_down: ByteRate(3 << 20),
            },
            target: Some(2),
            site: "cellar".into(),
            history: Span(7 * 86_400),
            only_here: Span(7200),
            scrub: Span(60 * 86_400),
            cache: ByteSize(128 << 20),
            listen: Some("0.0.0.0:4001".parse().unwrap()),
            discovery: false,
            panel: Some(Panel::Off),
            panel_passphrase: true,
            allow_other: true,
            quick_wake: false,
            port_mapping: true,
            relay: ByteRate(1 << 20),
            metered: Metered::Yes,
            replicas: false,
            posix_owners: true,
            log: LogLevel::Info,
        };
        assert_eq!(parse(text), Ok(expected));
        assert_eq!(text.lines().filter(|line| line.contains(" = ")).count(), KEYS.len());
        assert_eq!(parse("# nothing\n"), Ok(Settings::default()));
    }

    #[test]
    fn the_nearest_key_is_named() {
        for (text, nearest) in [
            ("contribut = \"1G\"", "contribute"),
            ("Target = 3", "target"),
            ("allow-other = true", "allow_other"),
            ("discover = true", "discovery"),
            ("histroy = \"1d\"", "history"),
        ] {
            let told = parse(text).unwrap_err();
            assert!(told.contains(&format!("did you mean \"{nearest}\"")), "{told}");
        }
        let told = parse("something_else_entirely = 1").unwrap_err();
        assert!(told.contains("there are name, mountpoint"), "{told}");
    }

    #[test]
    fn wrong_values_are_explained() {
        for (text, part) in [
            ("contribute = \"much\"", "is not a size"),
            ("contribute = -1", "is not a size"),
            ("contribute = true", "it must be a text in quotes, not true or false"),
            ("up = \"fast\"", "is not a rate"),
            ("history = \"30\"", "is not a length of time"),
            ("target = 1", "from 2 to 8"),
            ("target = \"3\"", "from 2 to 8"),
            ("cache = \"1M\"", "8M or more"),
            ("panel = \"0.0.0.0:80\"", "this computer only"),
            ("mountpoint = \"drive\"", "whole path"),
            ("name = \"\"", "1 to 64 characters"),
            ("log = \"loud\"", "off, error, warn"),
            ("metered = \"perhaps\"", "true, false or \"auto\""),
            ("relay = \"fast\"", "is not a rate"),
            ("[drive]\nname = \"x\"", "there is no such setting"),
            ("name = \"a\"\ntarget = ", "line 2"),
        ] {
            let told = parse(text).unwrap_err();
            assert!(told.contains(part) && !told.contains('\n'), "{text}: {told}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text: String) {
            let _ = parse(&text);
        }
    }
}
