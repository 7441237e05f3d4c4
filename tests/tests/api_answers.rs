//! What the API answers of several real computers: every list in parts, of which a walk finds each entry once; and on how many computers
//! a file is.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};
use tests::{Daemon, Start, eventually, noise};
use ureq::Agent;
use ureq::http::{Request, Response};

fn ask(daemon: &Daemon, method: &str, route: &str, body: &str) -> Response<ureq::Body> {
    let told = |file| fs::read_to_string(daemon.data().join(file)).unwrap().trim().to_string();
    let agent: Agent = Agent::config_builder().proxy(None).http_status_as_error(false).build().into();
    let request = Request::builder().method(method).uri(format!("http://{}/api/v1{route}", told("api.addr")));
    let request = request.header("authorization", format!("Bearer {}", told("api.token")));
    agent.run(request.header("content-type", "application/json").body(body.to_string()).unwrap()).unwrap()
}

fn get(daemon: &Daemon, route: &str) -> Value {
    let mut answer = ask(daemon, "GET", route, "");
    assert_eq!(answer.status(), 200, "{route}");
    answer.body_mut().read_json().unwrap()
}

/// Walks through a list two by two; what `key` says of each entry, in order, without doubles.
fn walk(daemon: &Daemon, route: &str, key: &str) -> Vec<String> {
    let mark = if route.contains('?') { '&' } else { '?' };
    let (mut told, mut after, mut parts) = (Vec::new(), String::new(), 0);
    loop {
        let part = get(daemon, &format!("{route}{mark}limit=2{after}"));
        let entries = part["entries"].as_array().unwrap();
        assert!(entries.len() <= 2, "{route}: {part}");
        told.extend(entries.iter().map(|entry| entry[key].to_string()));
        parts += 1;
        assert!(parts < 1000, "{route} has no end");
        match part["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "{route}: {told:?}");
    for wrong in ["after=nonsense", "after=%ff", "limit=0", "limit=1000000", "limit=two", "limit=1&limit=1"] {
        let mut answer = ask(daemon, "GET", &format!("{route}{mark}{wrong}"), "");
        let problem: Value = answer.body_mut().read_json().unwrap();
        assert_eq!((answer.status().as_u16(), &problem["status"]), (400, &json!(400)), "{route} {wrong}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    told
}

fn computer(name: &str) -> (Daemon, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    (Start::default().arg("--name").arg(name).arg("--listen").arg(&address).start(), address)
}

#[test]
fn a_walk_through_each_list_finds_each_entry_once() {
    let (mut first, address) = computer("attic");
    let (mut others, names) = (Vec::new(), ["barn", "cellar"]);
    for name in names {
        let (other, _) = computer(name);
        let code = first.json(&["invite"])["code"].clone();
        let joined = other.json(&["join", code.as_str().unwrap(), "--peer", &address]);
        assert_eq!(joined["role"], "owner", "{joined}");
        others.push(other);
    }
    for number in 0..5 {
        fs::write(first.mount().join(format!("file{number}")), "first").unwrap();
        let made = first.command(["token", "create", &format!("program{number}"), "--scope", "read"]);
        assert!(made.status.success(), "{}", tests::told(&made));
    }
    for round in 0..4 {
        fs::write(first.mount().join("file0"), format!("again {round}")).unwrap();
        first.wait_until_settled();
    }
    assert_eq!(
        walk(&first, "/devices", "name"),
        ["attic", "barn", "cellar"].map(|name| format!("\"{name}\""))
    );
    assert_eq!(walk(&first, "/tokens", "name").len(), 5);
    assert_eq!(walk(&first, "/files?path=/", "name").len(), 5);
    assert_eq!(walk(&first, "/search?words=file", "name").len(), 5);
    let versions = walk(&first, "/history?path=file0", "id");
    let whole = first.json(&["history", "/file0"]);
    let whole: Vec<String> = whole.as_array().unwrap().iter().map(|one| one["id"].to_string()).collect();
    assert_eq!((versions.len() >= 5, &versions), (true, &whole), "the command walks through them as well");
    let log = get(&first, "/log?limit=1000");
    let lines: Vec<String> =
        log["entries"].as_array().unwrap().iter().map(|line| line["id"].to_string()).collect();
    assert_eq!((log["next"].is_null(), walk(&first, "/log", "id")), (true, lines));
    for _ in 0..3 {
        let url = first.json(&["panel"])["url"].as_str().unwrap().to_string();
        let link = url.split_once("#link=").unwrap().1;
        assert_eq!(ask(&first, "POST", "/session", &json!({ "link": link }).to_string()).status(), 200);
    }
    assert_eq!(walk(&first, "/sessions", "id"), ["3", "2", "1"]);
    conflicts_and_what_is_at_risk(&mut first, &mut others);
}

/// Two that are parted change the same files.
fn conflicts_and_what_is_at_risk(first: &mut Daemon, others: &mut [Daemon]) {
    assert!(first.command(["wait", "--synced"]).status.success());
    for other in &mut *others {
        assert!(other.stop().success());
    }
    let write = |daemon: &Daemon, content: &str| {
        for number in 0..5 {
            fs::write(daemon.mount().join(format!("file{number}")), content).unwrap();
        }
        daemon.wait_until_settled();
    };
    write(first, "in the attic");
    eventually("all are on one computer alone", || walk(first, "/files/at_risk", "name").len() == 5);
    assert!(first.stop().success());
    others[0].start_again();
    write(&others[0], "in the barn");
    first.start_again();
    eventually("both were changed", || first.json(&["conflicts"]).as_array().unwrap().len() == 5);
    let mut paths = walk(first, "/conflicts", "path");
    paths.sort();
    assert_eq!(paths, (0..5).map(|number| format!("\"/file{number}\"")).collect::<Vec<_>>());
}

fn copies(daemon: &Daemon, names: &[&str]) -> (u64, Vec<u64>) {
    let paths: Vec<String> = names.iter().map(|name| format!("/{name}")).collect();
    let mut answer = ask(daemon, "POST", "/files/copies", &json!({ "paths": paths }).to_string());
    let told: Value = answer.body_mut().read_json().unwrap();
    assert_eq!(answer.status(), 200, "{told}");
    let files = told["files"].as_array().unwrap();
    let asked: Vec<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(asked, paths, "each file is counted");
    (told["wanted"].as_u64().unwrap(), files.iter().map(|file| file["copies"].as_u64().unwrap()).collect())
}

/// With more computers than copies each chunk is on others than the next: no computer has all of a file.
#[test]
fn a_file_is_on_as_many_computers_as_its_rarest_chunk() {
    let (first, address) = computer("attic");
    assert_eq!(get(&first, "/files?path=/")["entries"], json!([]));
    fs::write(first.mount().join("film"), noise(1, 8 << 20)).unwrap();
    fs::write(first.mount().join("letter"), "dear all").unwrap();
    first.wait_until_settled();
    let names = ["film", "letter"];
    assert_eq!(copies(&first, &names), (2, vec![1, 1]), "alone nothing is safe");
    let mut others = Vec::new();
    for number in 0..4 {
        let (other, _) = computer(&format!("computer{number}"));
        let code = first.json(&["invite"])["code"].clone();
        assert_eq!(other.json(&["join", code.as_str().unwrap(), "--peer", &address])["role"], "owner");
        others.push(other);
    }
    let place = first.json(&["where", "/film"]);
    for daemon in [&first, &others[3]] {
        eventually("three copies", || {
            let (wanted, counts) = copies(daemon, &names);
            // Its change is in every log, and so is what lies in the change itself.
            wanted == 3 && counts == [3, 5]
        });
    }
    let hosts = first.json(&["where", "/film"])["hosts"].as_array().unwrap().clone();
    let chunks = place["chunks"].as_u64().unwrap();
    let whole = hosts[1..].iter().filter(|host| host["chunks"].as_u64().unwrap() == chunks).count();
    assert!(chunks > 20 && whole < 2, "what no computer has all of is counted all the same: {hosts:?}");
    assert!(others[0].stop().success());
    eventually("what was there cannot be asked", || copies(&first, &names).1[0] == 2);
    assert_eq!(copies(&others[1], &["film", "letter"]).0, 3);
}
