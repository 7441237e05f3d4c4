//! Requests to the API.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use tests::{Daemon, Dice, noise, report, seed};

/// Longer than any refusal takes.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// Requests of noise.
const NOISES: u64 = 100;

const GETS: [&str; 18] = [
    "/status",
    "/devices",
    "/log",
    "/history",
    "/where",
    "/doctor",
    "/scrub",
    "/contribute",
    "/files",
    "/files/entry",
    "/files/content",
    "/files/zip",
    "/files/at_risk",
    "/search",
    "/storage",
    "/sessions",
    "/hours",
    "/storage/written",
];
const POSTS: [&str; 15] = [
    "/session",
    "/qr",
    "/uploads?path=upload",
    "/files/undelete?path=gone",
    "/files/move?path=file",
    "/files/copy?path=file",
    "/restore?path=file",
    "/wait",
    "/scrub",
    "/contribute",
    "/hours",
    "/keys/passphrase",
    "/keys/recovery",
    "/restore",
    "/garbage",
];
const QUERIES: [&str; 8] = [
    "?path=%",
    "?path=%zz",
    "?path=%00",
    "?path=%ff%fe",
    "?path=..%2f..%2fetc%2fpasswd",
    "?limit=-1",
    "?limit=99999999999999999999",
    "?path=file&path=file&limit=x&&&=",
];
const BODIES: [&str; 11] = [
    "",
    "null",
    "[]",
    "{\"",
    "\"text\"",
    "{\"rate\": -1}",
    "{\"version\": {}, \"time\": []}",
    "{\"time\": \"99999-01-01T00:00:00Z\"}",
    "{\"contribute\": 1e300}",
    "{\"until\": \"tomorrow\"}",
    "{\"hours\": [{\"from\": \"25:00\", \"to\": \"x\", \"up\": 1}]}",
];

#[test]
fn garbage_in_a_request() {
    let daemon = Daemon::start();
    fs::write(daemon.mount().join("file"), "content").unwrap();
    daemon.wait_until_settled();
    let token = fs::read_to_string(daemon.data().join("api.token")).unwrap();
    let address = fs::read_to_string(daemon.data().join("api.addr")).unwrap();
    let (token, address) = (token.trim(), address.trim());
    let head = |method: &str, target: &str, body: &str| {
        format!(
            "{method} /api/v1{target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let mut asked = 0;
    let mut ask = |request: &[u8], is_whole: bool| {
        asked += 1;
        let answer = answer(address, request, is_whole);
        let shown = String::from_utf8_lossy(&request[..request.len().min(300)]).into_owned();
        assert!(!answer.starts_with("HTTP/1.1 5"), "{shown}\n{answer}");
        (shown, answer)
    };
    for route in GETS {
        for query in QUERIES {
            ask(head("GET", &format!("{route}{query}"), "").as_bytes(), true);
        }
    }
    for route in POSTS {
        for body in BODIES {
            let (shown, answer) = ask(head("POST", route, body).as_bytes(), true);
            let is_told = answer.contains("application/problem+json") || answer.starts_with("HTTP/1.1 2");
            assert!(is_told, "{shown}\n{answer}");
        }
    }
    for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "GARBAGE"] {
        ask(head(method, "/status", "").as_bytes(), true);
    }
    let seed = seed(1);
    let mut dice = Dice::new(seed);
    for _ in 0..NOISES {
        let mut request =
            head("POST", "/restore?path=file", "{\"time\": \"2026-01-01T00:00:00Z\"}").into_bytes();
        for _ in 0..=dice.below(5) {
            let at = dice.below(request.len() as u64) as usize;
            request[at] = dice.below(256) as u8;
        }
        if dice.percent(30) {
            request = noise(dice.below(u64::MAX), dice.below(5_000) as usize);
        }
        ask(&request, false);
    }
    ask(head("POST", "/contribute", &"[".repeat(1 << 20)).as_bytes(), true);
    ask(head("GET", &format!("/history?path={}", "x".repeat(1 << 20)), "").as_bytes(), true);
    report(format!("{asked} requests, seed {seed}"));
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log_tail());
    assert_eq!(daemon.json(&["status"])["health"], "ok");
    assert_eq!(fs::read(daemon.mount().join("file")).unwrap(), b"content");
}

/// What comes back; nothing if the connection is closed at once.
fn answer(address: &str, request: &[u8], is_whole: bool) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(ANSWER_WAIT)).unwrap();
    // It may be refused before all of it was sent.
    let _ = connection.write_all(request);
    if !is_whole {
        // Or it would wait for the rest.
        let _ = connection.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    match connection.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("no answer in {ANSWER_WAIT:?}")
        }
        _ => String::from_utf8_lossy(&answer).into_owned(),
    }
}
