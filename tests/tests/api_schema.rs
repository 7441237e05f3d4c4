//! The API holds to what it says of itself: schemathesis (<https://schemathesis.readthedocs.io>, MIT) makes requests up out of the
//! OpenAPI document, right and wrong ones, and finds no answer that the document does not allow and no failure of the server.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Daemon, Start, report};
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

/// Requests made up for each route.
const EXAMPLES: &str = "60";
/// What would spoil the rest: no room, a passphrase (with one `/keys/lock` ends the daemon), another drive. They are tried on a daemon that
/// is thrown away.
const SPOILING: [&str; 3] = ["/contribute", "/keys/passphrase", "/join"];
/// Requests made up for each of these: a passphrase costs a second and 64 MiB.
const SPOILING_EXAMPLES: &str = "8";
/// What has no answer that ends: the daemon goes with it, or it is a stream. The last two tests here hold them to the document.
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

/// Longer than any answer takes; a stream that tells nothing ends by it.
const ANSWER_WAIT: Duration = Duration::from_secs(120);
/// Reads `[[schema, value], …]` and says which values do not fit; jsonschema-rs (MIT) came with schemathesis.
const FITS: &str = "import json, sys, jsonschema_rs
for schema, value in json.load(sys.stdin):
    for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(value):
        print(error.message, 'in', json.dumps(value)[:300])";

/// The API of a daemon, and what it says of itself.
struct Described {
    agent: Agent,
    base: String,
    token: String,
    document: Value,
    /// Values and the names of the schemas they should fit.
    seen: Vec<(String, Value)>,
}

impl Described {
    fn of(daemon: &Daemon) -> Self {
        let told = |file| fs::read_to_string(daemon.data().join(file)).unwrap().trim().to_string();
        let config = Agent::config_builder().proxy(None).http_status_as_error(false);
        let agent: Agent = config.timeout_global(Some(ANSWER_WAIT)).build().into();
        let (base, token) = (format!("http://{}/api/v1", told("api.addr")), told("api.token"));
        let mut described = Self { agent, base, token, document: Value::Null, seen: Vec::new() };
        let token = Some(described.token.clone());
        described.document =
            described.send("GET", "/openapi.json", token.as_deref(), b"").into_body().read_json().unwrap();
        described
    }

    fn send(&self, method: &str, route: &str, token: Option<&str>, body: &[u8]) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(format!("{}{route}", self.base));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.header("content-type", "application/json");
        self.agent.run(request.body(body.to_vec()).unwrap()).unwrap()
    }

    /// Asks, and takes the answer for one that the document describes: its status, kind, and later its form.
    fn ask(&mut self, method: &str, route: &str, token: Option<&str>, body: &[u8]) -> u16 {
        let mut answer = self.send(method, route, token, body);
        let status = answer.status().as_u16();
        assert!(status < 500, "{method} {route}: {status}");
        let path = route.split('?').next().unwrap();
        let responses = &self.document["paths"][path][method.to_lowercase()]["responses"];
        // A method that a route does not have is in no document; its refusal has the form of all others.
        let described = responses.get(status.to_string()).or_else(|| responses.get("default"));
        let problem = json!({ "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } } });
        let described = described.cloned().unwrap_or(problem);
        let kind = answer.headers()["content-type"].to_str().unwrap().to_string();
        let schema = &described["content"][&kind]["schema"]["$ref"];
        let name = schema
            .as_str()
            .unwrap_or_else(|| panic!("{method} {route}: {status} of {kind} is not in {described}"));
        let value = answer.body_mut().read_json().unwrap();
        self.seen.push((name.into(), value));
        status
    }

    /// Everything that was seen fits its schema.
    fn check(&self) {
        let pairs: Vec<Value> = self
            .seen
            .iter()
            .map(|(name, value)| json!([{ "$ref": name, "components": self.document["components"] }, value]))
            .collect();
        let mut python = Command::new(tests::tool_file("schemathesis/bin/python"));
        let mut python =
            python.args(["-c", FITS]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        python.stdin.take().unwrap().write_all(json!(pairs).to_string().as_bytes()).unwrap();
        let ended = python.wait_with_output().unwrap();
        assert!(ended.status.success());
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "", "{} values", pairs.len());
    }
}

#[test]
fn the_stream_of_events_is_what_the_document_says() {
    let daemon = Start::default().start();
    let mut api = Described::of(&daemon);
    let token = api.token.clone();
    for (method, route, token, expected) in [
        ("GET", "/events", None, 401),
        ("GET", "/events", Some("0".repeat(64)), 401),
        ("POST", "/events", Some(token.clone()), 405),
        ("DELETE", "/events?x=%00&y=%ff", Some(token.clone()), 405),
    ] {
        assert_eq!(api.ask(method, route, token.as_deref(), b"{}"), expected, "{method} {route}");
    }
    let stream = api.send("GET", "/events?what=%ff&what", Some(&token), b"");
    let described = &api.document["paths"]["/events"]["get"]["responses"]["200"]["content"];
    let kind = stream.headers()["content-type"].to_str().unwrap();
    assert!(described.get(kind).is_some(), "{kind} is not in {described}");
    fs::write(daemon.mount().join("new.txt"), "something happens").unwrap();
    let (mut event, mut trees, mut files) = (String::new(), 0, 0);
    // Both kinds came, and the numbers of what happened.
    for line in BufReader::new(stream.into_body().into_reader()).lines() {
        let line = line.unwrap();
        if let Some(name) = line.strip_prefix("event: ") {
            event = name.into();
        } else if let Some(data) = line.strip_prefix("data: ") {
            let value: Value = serde_json::from_str(data).unwrap();
            let schema = match event.as_str() {
                "tree" => "TreeChanged",
                "status" => "Status",
                other => panic!("an event that nobody described: {other}"),
            };
            trees += u64::from(event == "tree");
            files = value["workspaces"][0]["files"].as_u64().unwrap_or(files);
            api.seen.push((format!("#/components/schemas/{schema}"), value));
        }
        if trees > 0 && files > 0 {
            break;
        }
    }
    assert!(trees > 0 && files == 1, "{trees} changes, {files} files");
    api.check();
}

#[test]
fn the_end_of_the_daemon_is_what_the_document_says() {
    let mut daemon = Start::default().start();
    let made = daemon.json(&["token", "create", "looks on", "--scope", "write"]);
    // Whatever its body is, it is one request; none of them is an error of the server.
    for body in [&b""[..], b"{}", b"{\"now\": true}", &[0xff, 0, 0xfe], &[b'['; 4096]] {
        let mut api = Described::of(&daemon);
        let token = api.token.clone();
        for (method, token, expected) in [
            ("POST", None, 401),
            ("POST", Some(made["token"].as_str().unwrap().to_string()), 403),
            ("GET", Some(token.clone()), 405),
            ("PUT", Some(token.clone()), 405),
        ] {
            assert_eq!(api.ask(method, "/down", token.as_deref(), body), expected, "{method}");
        }
        assert_eq!(daemon.json(&["status"])["health"], "ok", "it goes on");
        assert_eq!(api.ask("POST", "/down?now=%ff&now", Some(&token), body), 202);
        assert!(daemon.wait_for_exit().success());
        api.check();
        daemon.start_again();
    }
}
