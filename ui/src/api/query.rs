//! The query of a request. Paths of a drive are bytes, so they are decoded to bytes and never to text.

use serde::de::DeserializeOwned;

use super::problem::ApiError;

/// Longest path that is taken, in bytes.
const MAX_PATH_BYTES: usize = 32 << 10;

/// The value of `name` in `query`, percent-decoded.
pub(super) fn value(query: Option<&str>, name: &str) -> Result<Option<Vec<u8>>, ApiError> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key == name && found.replace(value).is_some() {
            return Err(ApiError::bad(format!("\"{name}\" is given twice")));
        }
    }
    found.map(|text| decode(text, name)).transpose()
}

/// The path in `name`, which must be there.
pub(super) fn path(query: Option<&str>, name: &str) -> Result<Vec<u8>, ApiError> {
    value(query, name)?.ok_or_else(|| ApiError::bad(format!("the query needs {name}=, percent-encoded")))
}

/// The text in `name`, if it is there.
pub(super) fn text(query: Option<&str>, name: &str) -> Result<Option<String>, ApiError> {
    let text = value(query, name)?.map(String::from_utf8).transpose();
    text.map_err(|_| ApiError::bad(format!("\"{name}\" must be text")))
}

/// The word in `name`, one of those a type has, if it is there.
pub(super) fn word<T: DeserializeOwned>(query: Option<&str>, name: &str) -> Result<Option<T>, ApiError> {
    let Some(word) = text(query, name)? else { return Ok(None) };
    let word = serde_json::from_value(word.into()).ok();
    word.map(Some)
        .ok_or_else(|| ApiError::bad(format!("\"{name}\" is none of the words it may be; see docs/api.md")))
}

/// The number in `name`, if it is there.
pub(super) fn number(query: Option<&str>, name: &str) -> Result<Option<u64>, ApiError> {
    let Some(text) = text(query, name)? else { return Ok(None) };
    let number = text.parse().ok();
    number.map(Some).ok_or_else(|| ApiError::bad(format!("\"{name}\" must be a whole number")))
}

/// What [`encode`] made a text of; none if this is no such text.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    decode(text, "").ok()
}

fn decode(text: &str, name: &str) -> Result<Vec<u8>, ApiError> {
    let wrong = || ApiError::bad(format!("\"{name}\" is not percent-encoded as it should be, or too long"));
    let mut bytes = Vec::with_capacity(text.len().min(MAX_PATH_BYTES));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
                (high << 4 | low) as u8
            }
            b'+' => b' ',
            other => other,
        };
        if decoded == 0 || bytes.len() == MAX_PATH_BYTES {
            return Err(wrong());
        }
        bytes.push(decoded);
    }
    Ok(bytes)
}

/// `bytes` as a value of a query.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                text.push(char::from(*byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_found_by_its_name() {
        let query = Some("limit=5&path=a%20b%ff&to=x+y");
        assert_eq!(value(query, "path").unwrap().unwrap(), b"a b\xff");
        assert_eq!(value(query, "to").unwrap().unwrap(), b"x y");
        assert_eq!(number(query, "limit").unwrap(), Some(5));
        assert!(value(query, "none").unwrap().is_none());
        assert!(path(query, "none").is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for query in ["path=%", "path=%4", "path=%zz", "path=a%00b", "path=a&path=b"] {
            assert!(value(Some(query), "path").is_err(), "{query}");
        }
        assert!(number(Some("limit=-1"), "limit").is_err());
        let long = format!("path={}", "a".repeat(MAX_PATH_BYTES + 1));
        assert!(value(Some(&long), "path").is_err());
    }

    proptest! {
        #[test]
        fn any_path_survives(path in proptest::collection::vec(1u8.., 0..200)) {
            let query = format!("path={}", encode(&path));
            prop_assert_eq!(value(Some(&query), "path").unwrap().unwrap(), path);
        }
    }
}
