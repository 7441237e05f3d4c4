//! The API holds to what it says of itself: schemathesis (<https://schemathesis.readthedocs.io>, MIT) makes requests up out of the
//! OpenAPI document, right and wrong ones, and finds no answer that the document does not allow and no failure of the server.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::fs;
use std::process::Command;

use tests::{Daemon, Start, report};

/// Requests made up for each route.
const EXAMPLES: &str = "60";
/// What would spoil the rest: no room, a passphrase (with one `/keys/lock` ends the daemon), another drive. They are tried on a daemon that
/// is thrown away.
const SPOILING: [&str; 3] = ["/contribute", "/keys/passphrase", "/join"];
/// Requests made up for each of these: a passphrase costs a second and 64 MiB.
const SPOILING_EXAMPLES: &str = "8";
/// What has no answer that ends: the daemon goes with it, or it is a stream. The tests of `ui` and of the panel ask for them.
const LEFT_OUT: [&str; 2] = ["/down", "/events"];
/// An answer of 5xx, one that the document does not describe, or one of another kind or form than it says.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[test]
fn no_request_makes_the_api_fail_or_answer_what_it_does_not_describe() {
    let daemon = Start::default().start();
    let without: Vec<[&str; 2]> =
        LEFT_OUT.iter().chain(&SPOILING).map(|route| ["--exclude-path", route]).collect();
    fs::create_dir(daemon.mount().join("folder")).unwrap();
    fs::write(daemon.mount().join("folder/letter.txt"), "dear all").unwrap();
    daemon.wait_until_settled();
    fuzz(&daemon, EXAMPLES, &without);
}

#[test]
fn requests_that_would_spoil_the_rest_hold_to_the_document_too() {
    let daemon = Start::default().start();
    fuzz(&daemon, SPOILING_EXAMPLES, &SPOILING.map(|route| ["--include-path", route]));
}

fn fuzz(daemon: &Daemon, examples: &str, routes: &[[&str; 2]]) {
    let told = |file| fs::read_to_string(daemon.data().join(file)).unwrap().trim().to_string();
    let document = format!("http://{}/api/v1/openapi.json", told("api.addr"));
    let mut fuzz = Command::new(tests::tool_file("schemathesis/bin/st"));
    fuzz.args(["run", &document, "--checks", CHECKS, "--max-examples", examples, "--no-color"]);
    fuzz.args(["--phases", "examples,coverage,fuzzing", "--seed", "7", "--rate-limit", "150/s"]);
    fuzz.args(["--generation-database", "none", "--workers", "1", "--request-timeout", "130"]);
    fuzz.args(["--header", &format!("Authorization: Bearer {}", told("api.token"))]);
    fuzz.args(routes.as_flattened());
    // A proxy of the environment must not see the token.
    let ended = fuzz.env("NO_PROXY", "127.0.0.1").current_dir(daemon.beside()).output().unwrap();
    let said = tests::told(&ended);
    assert!(ended.status.success(), "{said}");
    report(said.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"));
    assert_eq!(daemon.json(&["status"])["health"], "ok", "and it is well afterwards");
}
