//! The content of a file as an answer: whole or in a range, and with rules under which a browser runs nothing of it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use vfs::Attr;

use super::open_file::{OpenFile, OpenVersion};
use super::problem::ApiError;

/// Bytes read at once.
const STEP_BYTES: u32 = 1 << 20;
/// A file of the drive may be shown by the panel, and nothing in it runs or fetches anything.
const SEALED_OFF: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; frame-ancestors 'self'";
/// The browser's own viewer of PDF does not work in a sandbox. It runs apart from the page, and the content is never taken for HTML.
const FOR_PDF: &str =
    "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'";
/// Kinds that a browser may show, with the endings of their names, line by line; all else is a download. Those that could run something are
/// shown as the text they are. The panel reads the same file.
const KINDS: &str = include_str!("../../panel/kinds.txt");
const BYTES: &str = "application/octet-stream";

/// What is read.
#[derive(Clone)]
pub(super) enum Source {
    /// A file, as it is.
    File(Arc<OpenFile>),
    /// A state it had.
    Version(Arc<OpenVersion>),
}

/// What is served: where it comes from, its length and its tag.
pub(super) struct Served {
    source: Source,
    size: u64,
    tag: String,
}

impl Served {
    pub(super) fn file(file: OpenFile, attr: &Attr) -> Self {
        Self { source: Source::File(Arc::new(file)), size: attr.size, tag: entity_tag(attr) }
    }

    /// A version never changes: its id is its tag.
    pub(super) fn version(version: OpenVersion, id: &str) -> Self {
        let size = version.content.size;
        Self { source: Source::Version(Arc::new(version)), size, tag: format!("\"{id}\"") }
    }
}

impl Source {
    async fn read(&self, offset: u64, len: u32) -> Result<Bytes, ApiError> {
        match self {
            Self::File(file) => file.read(offset, len).await,
            Self::Version(version) => version.read(offset, len).await,
        }
    }
}

/// The answer to a request for content.
pub(super) fn answer(
    served: Served,
    name: &[u8],
    asked: &HeaderMap,
    as_download: bool,
) -> Result<Response, ApiError> {
    let Served { source, size, tag } = served;
    let kind = shown_kind(name);
    let mut response = Response::builder()
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, &tag)
        .header(header::CACHE_CONTROL, "private, no-cache")
        .header(header::CONTENT_TYPE, kind)
        .header(header::CONTENT_SECURITY_POLICY, if kind == "application/pdf" { FOR_PDF } else { SEALED_OFF })
        .header(header::X_FRAME_OPTIONS, "SAMEORIGIN")
        .header(header::CONTENT_DISPOSITION, disposition(name, as_download || kind == BYTES));
    if asked.get(header::IF_NONE_MATCH).is_some_and(|known| names_tag(known, &tag)) {
        return built(response.status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    let range = match wanted(asked, &tag, size) {
        Wanted::All => 0..size,
        Wanted::Part(range) => {
            let told = format!("bytes {}-{}/{}", range.start, range.end - 1, size);
            response = response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, told);
            range
        }
        Wanted::Impossible => {
            let told = format!("bytes */{size}");
            let refused =
                response.status(StatusCode::RANGE_NOT_SATISFIABLE).header(header::CONTENT_RANGE, told);
            return built(refused, Body::empty());
        }
    };
    let response = response.header(header::CONTENT_LENGTH, range.end - range.start);
    built(response, Body::from_stream(pieces(source, range.start, range.end)))
}

fn built(response: axum::http::response::Builder, body: Body) -> Result<Response, ApiError> {
    response.body(body).map_err(|error| ApiError::bad(format!("this cannot be answered ({error})")))
}

/// Another one after every change.
fn entity_tag(attr: &Attr) -> String {
    format!("\"{:x}-{:x}.{:x}-{:x}\"", attr.ino, attr.ctime.secs, attr.ctime.nanos, attr.size)
}

fn names_tag(known: &HeaderValue, tag: &str) -> bool {
    let known = known.to_str().unwrap_or_default();
    known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    Part(std::ops::Range<u64>),
    Impossible,
}

/// One range is served; several, or what is no range of bytes, are answered with the whole, as the standard allows.
pub(super) fn wanted(asked: &HeaderMap, tag: &str, size: u64) -> Wanted {
    if asked.get(header::IF_RANGE).is_some_and(|known| known.as_bytes() != tag.as_bytes()) {
        return Wanted::All;
    }
    let text = asked.get(header::RANGE).and_then(|range| range.to_str().ok());
    let Some((first, last)) =
        text.and_then(|text| text.strip_prefix("bytes=")).and_then(|text| text.split_once('-'))
    else {
        return Wanted::All;
    };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..size,
        (Err(_), Ok(last)) if first.trim().is_empty() => size.saturating_sub(last)..size,
        _ => return Wanted::All,
    };
    if range.start < range.end { Wanted::Part(range) } else { Wanted::Impossible }
}

fn pieces(source: Source, from: u64, to: u64) -> impl stream::Stream<Item = std::io::Result<Bytes>> {
    stream::unfold(Some(from), move |at| {
        let source = source.clone();
        async move {
            let at = at.filter(|at| *at < to)?;
            let len = u32::try_from((to - at).min(u64::from(STEP_BYTES))).unwrap_or(STEP_BYTES);
            match source.read(at, len).await {
                // Cut short meanwhile: the connection ends early, and the reader sees that something is missing.
                Ok(piece) if piece.is_empty() => Some((Err(std::io::ErrorKind::UnexpectedEof.into()), None)),
                Ok(piece) => {
                    let next = at + piece.len() as u64;
                    Some((Ok(piece), Some(next)))
                }
                Err(error) => Some((Err(std::io::Error::other(error.to_string())), None)),
            }
        }
    })
}

fn shown_kind(name: &[u8]) -> &'static str {
    let ending = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default().to_ascii_lowercase();
    let lines = KINDS.lines().filter_map(|line| line.split_once(" = "));
    let mut fitting = lines.filter(|(_, endings)| endings.split(' ').any(|known| known.as_bytes() == ending));
    fitting.next().map_or(BYTES, |(kind, _)| kind)
}

/// RFC 6266: a plain name for old readers, the whole one percent-encoded.
pub(super) fn disposition(name: &[u8], as_download: bool) -> String {
    let plain: String = String::from_utf8_lossy(name)
        .chars()
        .map(|c| if c.is_ascii_graphic() && !['"', '\\', '%'].contains(&c) || c == ' ' { c } else { '_' })
        .collect();
    let whole: String = name
        .iter()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02X}") }
        })
        .collect();
    let how = if as_download { "attachment" } else { "inline" };
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranged(range: &str, if_range: Option<&str>) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        if let Some(tag) = if_range {
            headers.insert(header::IF_RANGE, tag.parse().unwrap());
        }
        wanted(&headers, "\"t\"", 100)
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        assert_eq!(ranged("bytes=0-9", None), Wanted::Part(0..10));
        assert_eq!(ranged("bytes=90-", None), Wanted::Part(90..100));
        assert_eq!(ranged("bytes=-5", None), Wanted::Part(95..100));
        assert_eq!(ranged("bytes=-500", None), Wanted::Part(0..100));
        assert_eq!(ranged("bytes=99-18446744073709551615", None), Wanted::Part(99..100));
        assert_eq!(ranged("bytes=100-", None), Wanted::Impossible);
        assert_eq!(ranged("bytes=-0", None), Wanted::Impossible);
        for whole in ["bytes=9-0", "bytes=a-b", "bytes=-", "lines=0-9", "bytes=0-1,5-6"] {
            assert_eq!(ranged(whole, None), Wanted::All, "{whole}");
        }
        assert_eq!(ranged("bytes=0-9", Some("\"t\"")), Wanted::Part(0..10));
        assert_eq!(ranged("bytes=0-9", Some("\"old\"")), Wanted::All);
    }

    #[test]
    fn every_line_of_the_kinds_is_one_and_none_of_them_runs() {
        let mut endings = std::collections::BTreeSet::new();
        for line in KINDS.lines() {
            let (kind, known) = line.split_once(" = ").unwrap();
            HeaderValue::from_str(kind).unwrap();
            let group = kind.split('/').next().unwrap();
            let shown = ["image", "video", "audio"].contains(&group)
                || ["application/pdf", "text/plain; charset=utf-8"].contains(&kind);
            assert!(shown, "{kind}");
            for ending in known.split(' ') {
                assert!(
                    ending.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
                    "{line}"
                );
                assert!(!ending.is_empty() && endings.insert(ending), "{ending} stands there once");
            }
        }
        assert_eq!(endings.len(), 68);
    }

    #[test]
    fn what_could_run_is_text_or_a_download() {
        assert_eq!(shown_kind(b"evil.HTML"), "text/plain; charset=utf-8");
        assert_eq!(shown_kind(b"="), BYTES);
        assert_eq!(shown_kind(b"no ending."), BYTES);
        assert_eq!(shown_kind(b"a.xhtml"), BYTES);
        assert_eq!(shown_kind(b"png"), "image/png");
        assert_eq!(
            disposition("\"\r\nä".as_bytes(), true),
            "attachment; filename=\"____\"; filename*=UTF-8''%22%0D%0A%C3%A4"
        );
    }
}
