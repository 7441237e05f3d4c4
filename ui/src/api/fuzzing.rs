//! What the API reads of requests and of its own files, for the fuzz target `requests`.

use axum::http::{HeaderMap, HeaderValue, header};

use super::paging::{PAGE, Part};
use super::uploads::{self, Checksum};
use super::{content, query, tokens};

/// Reads `data` as each of the texts that requests hold; whatever they are, it answers.
///
/// # Panics
/// When a reader breaks what it promises.
pub fn read_request_for_fuzzing(data: &[u8]) {
    if let Ok(known) = tokens::decode(data) {
        let again = tokens::decode(&tokens::encode(known.iter()));
        assert_eq!(again.as_ref(), Ok(&known));
    }
    if !data.contains(&0) && data.len() <= 4096 {
        let asked = format!("path={}", query::encode(data));
        assert_eq!(query::value(Some(&asked), "path").ok().flatten().as_deref(), Some(data));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    for name in ["path", "limit", "a"] {
        let _ = (query::value(Some(text), name).is_ok(), query::number(Some(text), name).is_ok());
    }
    if let Ok(part) = Part::of(Some(text), PAGE) {
        assert!((1..=5000).contains(&part.limit()));
        let _ = (part.after_bytes().is_ok(), part.after_number().is_ok());
    }
    if let Ok(value) = HeaderValue::from_str(text) {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, value);
        for size in [0, 1, 1000, u64::MAX] {
            if let content::Wanted::Part(range) = content::wanted(&headers, "\"t\"", size) {
                assert!(range.start < range.end && range.end <= size);
            }
        }
    }
    let _ = (Checksum::parse(text).is_ok(), uploads::metadata(text, "filename"), uploads::Note::parse(data));
}
