//! The API holds to what it says of itself: schemathesis (<https://schemathesis.readthedocs.io>, MIT) makes requests up out of the
//! OpenAPI document, right and wrong ones, and finds no answer that the document does not allow and no failure of the server.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::fs;
use std::process::Command;

use tests::{Start, report};

/// Requests made up for each route.
const EXAMPLES: &str = "60";
/// What would end the daemon, lock its keys, leave it no room, or wait for somebody.
const LEFT_OUT: [&str; 6] = ["/down", "/contribute", "/keys/lock", "/keys/passphrase", "/join", "/events"];
/// An answer of 5xx, one that the document does not describe, or one of another kind or form than it says.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[test]
fn no_request_makes_the_api_fail_or_answer_what_it_does_not_describe() {
    let daemon = Start::default().start();
    fs::create_dir(daemon.mount().join("folder")).unwrap();
    fs::write(daemon.mount().join("folder/letter.txt"), "dear all").unwrap();
    daemon.wait_until_settled();
    let told = |file| fs::read_to_string(daemon.data().join(file)).unwrap().trim().to_string();
    let document = format!("http://{}/api/v1/openapi.json", told("api.addr"));
    let mut fuzz = Command::new(tests::tool_file("schemathesis/bin/st"));
    fuzz.args(["run", &document, "--checks", CHECKS, "--max-examples", EXAMPLES, "--no-color"]);
    fuzz.args(["--phases", "examples,coverage,fuzzing", "--seed", "7", "--rate-limit", "150/s"]);
    fuzz.args(["--generation-database", "none", "--workers", "1", "--request-timeout", "130"]);
    fuzz.args(["--header", &format!("Authorization: Bearer {}", told("api.token"))]);
    for route in LEFT_OUT {
        fuzz.args(["--exclude-path", route]);
    }
    // A proxy of the environment must not see the token.
    let ended = fuzz.env("NO_PROXY", "127.0.0.1").current_dir(daemon.beside()).output().unwrap();
    let said = tests::told(&ended);
    assert!(ended.status.success(), "{said}");
    report(said.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"));
    assert_eq!(daemon.json(&["status"])["health"], "ok", "and it is well afterwards");
}
