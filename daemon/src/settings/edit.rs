//! One value changed in the text of `config.toml`; comments, order and everything else stay.

use toml::Table;

/// A value to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// In quotes.
    Text(String),
    /// `true` or `false`.
    Truth(bool),
}

impl Value {
    fn toml(&self) -> toml::Value {
        match self {
            Self::Text(text) => toml::Value::String(text.clone()),
            Self::Truth(truth) => toml::Value::Boolean(*truth),
        }
    }
}

/// `text` with `key` set to `value`.
pub(super) fn set(text: &str, key: &str, value: &Value) -> String {
    let line = format!("{key} = {}", value.toml());
    let mut lines: Vec<&str> = text.lines().collect();
    // Behind the first section lie the settings of sections, of which some have the same names.
    let end = lines.iter().position(|line| line.trim_start().starts_with('[')).unwrap_or(lines.len());
    match lines[..end].iter().position(|present| sets(present, key)) {
        Some(at) => lines[at] = &line,
        None => lines.insert(end, &line),
    }
    lines.join("\n") + "\n"
}

fn sets(line: &str, key: &str) -> bool {
    line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
}

/// Whether `text` says `values` and makes sense otherwise.
///
/// # Errors
/// Why it cannot be changed by a command.
pub(super) fn check(text: &str, values: &[(&'static str, Value)]) -> Result<(), String> {
    super::parse::parse(text)?;
    let table: Table = text.parse().map_err(|_| "it is no TOML".to_string())?;
    let wrong = values.iter().find(|(key, value)| table.get(*key) != Some(&value.toml()));
    match wrong {
        Some((key, _)) => {
            Err(format!("{key} is written in a way that commands cannot change: edit the file"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_else_stays() {
        let before = "# mine\nname = \"a\"  # the attic\n\n  cache=3\nup = \"5M\"\n";
        let after =
            set(&set(before, "cache", &Value::Text("9M".into())), "reserve", &Value::Text("1G".into()));
        assert_eq!(
            after,
            "# mine\nname = \"a\"  # the attic\n\ncache = \"9M\"\nup = \"5M\"\nreserve = \"1G\"\n"
        );
        assert_eq!(set("", "name", &Value::Text("a\"b".into())), "name = 'a\"b'\n");
    }

    #[test]
    fn settings_of_sections_are_others() {
        let before = "name = \"a\"\n[[hours]]\nfrom = \"08:00\"\nto = \"18:00\"\nup = \"1M\"\n";
        let value = Value::Text("5M".into());
        let after = set(before, "up", &value);
        assert!(
            after.starts_with("name = \"a\"\nup = \"5M\"\n[[hours]]\n") && after.ends_with("up = \"1M\"\n")
        );
        assert_eq!(check(&after, &[("up", value)]), Ok(()));
    }

    proptest! {
        #[test]
        fn what_is_set_reads_back(name in "[^\\p{C}]{1,40}") {
            prop_assume!(!name.trim().is_empty());
            let value = Value::Text(name);
            let text = set("target = 3\n", "name", &value);
            prop_assert_eq!(check(&text, &[("name", value)]), Ok(()));
        }
    }
}
