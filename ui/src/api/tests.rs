//! The API over a real drive in memory, asked as any program on this computer could ask.

mod files;
mod sessions;
mod tokens;
mod uploads;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use chunkstore::Limits;
use chunkstore::disk::MemoryDisk;
use ledger::keys::{DeviceKey, Keyring, UserKeys};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use vfs::{Drive, Kind, NewNode, Open, OpenFlags, Ownership, ROOT, Settings, WorkspaceFiles};
use zeroize::Zeroizing;

use super::*;
use crate::answers::{
    Contribution, ContributionChange, Device, Finding, Garbage, Holding, HourSpan, IfLost, Invitation,
    InviteRequest, JoinRequest, Joined, Keys, Leave, LeaveRequest, Owned, Peer, Policy, PolicyChange,
    Relaying, Scope, Setting, SettingChange, WaitFor, Waited,
};

struct TestHost {
    drive: Arc<Drive>,
    stopped: AtomicBool,
    /// The panel asks for the passphrase.
    asks: AtomicBool,
    /// Bytes and damaged chunks of what a person had read.
    scrubbed: std::sync::Mutex<Option<(u64, u64)>>,
}

impl Host for TestHost {
    fn drive(&self) -> Option<Arc<Drive>> {
        Some(Arc::clone(&self.drive))
    }

    fn group(&self) -> Arc<dyn Group> {
        Arc::new(Alone)
    }

    fn facts(&self) -> Facts {
        Facts {
            version: "1".into(),
            device: "DEVICE".into(),
            name: "box".into(),
            workspace: "WORKSPACE".into(),
            mountpoint: None,
            resident_bytes: Some(7),
            only_here_after: std::time::Duration::from_secs(3600),
            scrub: crate::answers::BackgroundScrub::default(),
            damaged_chunks: 0,
            healed_chunks: 0,
        }
    }

    fn contribution(&self) -> Contribution {
        Contribution {
            contributed: 1,
            reserve: 2,
            up: 3,
            down: 4,
            used: 5,
            up_now: 3,
            down_now: 4,
            hours_now: None,
        }
    }

    fn stored(&self) -> Stored {
        Stored { chunks: 6, live_bytes: 5, cached_bytes: 1, saved_bytes: 7, compressed_away_bytes: 9 }
    }

    fn chunks_by_partition(&self) -> Result<Vec<u64>, Refusal> {
        Ok((0..4096).map(|partition| u64::from(partition < 65)).collect())
    }

    fn room(&self) -> Option<Room> {
        Some(Room { disk_bytes: 1000, free_bytes: 500 })
    }

    fn contribute(&self, change: &ContributionChange) -> Result<Contribution, Refusal> {
        if change.contribute == Some(13) {
            return Err(Refusal::Failed("the disk is broken: mend it".into()));
        }
        Ok(Contribution { contributed: change.contribute.unwrap_or(1), ..self.contribution() })
    }

    fn hours(&self) -> Vec<HourSpan> {
        Vec::new()
    }

    fn set_hours(&self, spans: &[HourSpan]) -> Result<Vec<HourSpan>, Refusal> {
        let wrong = || Refusal::Refused("hours: span 2: name one day at least".into());
        if spans.iter().any(|span| span.days.is_empty()) { Err(wrong()) } else { Ok(spans.to_vec()) }
    }

    fn settings(&self) -> Result<Vec<Setting>, Refusal> {
        Ok(Vec::new())
    }

    fn change_setting(&self, change: &SettingChange) -> Result<Vec<Setting>, Refusal> {
        if change.key == "site" { self.settings() } else { Err(Refusal::Refused("no such setting".into())) }
    }

    fn keys(&self) -> Result<Keys, Refusal> {
        Ok(Keys { user: "ann".into(), locked: false })
    }

    fn set_passphrase(&self, old: Option<&str>, new: Option<&str>) -> Result<(), Refusal> {
        match (old, new) {
            (Some("wrong"), _) => Err(Refusal::Secret("wrong passphrase".into())),
            _ => Ok(()),
        }
    }

    fn check_panel_passphrase(&self, given: Option<&str>) -> Result<(), Refusal> {
        let right = !self.asks.load(Ordering::SeqCst) || given == Some("right");
        if right { Ok(()) } else { Err(Refusal::Secret("the passphrase is missing or wrong".into())) }
    }

    fn recovery_phrase(&self, _passphrase: Option<&str>) -> Result<Zeroizing<String>, Refusal> {
        Ok(Zeroizing::new("one two".into()))
    }

    fn examine(&self) -> Vec<Finding> {
        vec![Finding::fine("the test looks")]
    }

    fn scrubbed_by_hand(&self, bytes: u64, bad_chunks: u64) {
        *self.scrubbed.lock().unwrap() = Some((bytes, bad_chunks));
    }

    fn random(&self, bytes: &mut [u8]) {
        random(bytes);
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

/// A group of one.
struct Alone;

impl Group for Alone {
    fn mending_chunks(&self) -> u64 {
        0
    }

    fn garbage(&self) -> Option<Garbage> {
        None
    }

    fn peers(&self) -> Vec<Peer> {
        Vec::new()
    }

    fn relaying(&self) -> Relaying {
        Relaying::default()
    }

    fn devices(&self) -> Vec<Device> {
        vec![Device {
            device: "DEVICE".into(),
            name: "box".into(),
            this: true,
            state: "online".into(),
            role: "owner".into(),
            contributed: 1,
            used: 5,
            leaving: false,
            site: "cellar".into(),
        }]
    }

    fn owned(&self) -> Vec<Owned> {
        vec![Owned { device: "DEVICE".into(), partitions: 4096, groups: vec![64; 64] }]
    }

    fn invite(&self, asked: &InviteRequest) -> Result<Invitation, Refusal> {
        let code = (!asked.ticket).then(|| "7-amber-falcon".to_string());
        let ticket = asked.ticket.then(|| "pdt1".to_string());
        Ok(Invitation { code, ticket, expires: "2026-11-21T12:00:00Z".into() })
    }

    fn join(&self, _asked: &JoinRequest) -> Result<Joined, Refusal> {
        Err(Refusal::Refused("nobody with this code was found: try again".into()))
    }

    fn rename_device(&self, _device: &str, _name: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn revoke_device(&self, _device: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare_lost(&self, device: &str) -> Result<(), Refusal> {
        if device == "attic" { Ok(()) } else { Err(Refusal::Refused(format!("there is no device {device}"))) }
    }

    fn declare_found(&self, _device: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn if_lost(&self, devices: &[String]) -> Result<IfLost, Refusal> {
        Ok(IfLost { devices: devices.to_vec(), complete: true, ..IfLost::default() })
    }

    fn leave(&self, asked: LeaveRequest) -> Result<Leave, Refusal> {
        if asked.now && !asked.lose {
            return Err(Refusal::Refused("2 chunks are here alone".into()));
        }
        Ok(Leave { state: if asked.cancel { "member" } else { "leaving" }.into(), ..Leave::default() })
    }

    fn leaving(&self) -> Leave {
        Leave { state: "member".into(), ..Leave::default() }
    }

    fn policy(&self) -> Policy {
        Policy { copies: 3, min: 2, max: 3, fsync: "local".into() }
    }

    fn set_policy(&self, change: &PolicyChange) -> Result<Policy, Refusal> {
        Ok(Policy { copies: change.copies.unwrap_or(3), ..self.policy() })
    }

    fn wait(&self, until: WaitFor, _path: Option<&[u8]>) -> Waited {
        match until {
            WaitFor::Safe => {
                Waited { done: false, why: Some("one computer alone is never safe".into()), missing: None }
            }
            WaitFor::Synced => Waited { done: true, why: None, missing: None },
        }
    }

    fn copies(&self, paths: &[Vec<u8>]) -> Result<CopyCounts, Refusal> {
        let counted = (0..paths.len()).filter(|at| paths[*at] != b"/none").map(|at| (at, 1)).collect();
        Ok(CopyCounts { wanted: 2, counted })
    }

    fn holders(&self, _path: &[u8]) -> Result<Vec<Holding>, Refusal> {
        Ok(vec![Holding { device: "DEVICE".into(), chunks: 1 }])
    }
}

struct Served {
    runtime: Option<Runtime>,
    address: SocketAddr,
    token: ApiToken,
    host: Arc<TestHost>,
    sessions: Arc<Sessions>,
    stop: watch::Sender<bool>,
}

/// Another filling at each call.
fn random(bytes: &mut [u8]) {
    static TURN: AtomicU8 = AtomicU8::new(1);
    bytes.fill(TURN.fetch_add(1, Ordering::SeqCst));
}

fn drive() -> Arc<Drive> {
    let mut counter = 0u8;
    let mut entropy = move |buffer: &mut [u8]| {
        for byte in buffer {
            counter = counter.wrapping_mul(31).wrapping_add(7);
            *byte = counter;
        }
    };
    let user = UserKeys::generate(&mut entropy);
    let keyring = Keyring::generate(&user.id(), &mut entropy);
    let open = Open {
        disk: Arc::new(MemoryDisk::new()),
        files: WorkspaceFiles { chunks: "/data/chunks".into(), workspace: "/data/workspace".into() },
        device: DeviceKey::generate(&mut entropy),
        user: &user,
        keyring: &keyring,
        name: "drive",
        joins: None,
        settings: Settings {
            ownership: Ownership::Posix,
            write_buffer_bytes: 1 << 20,
            retention: std::time::Duration::from_secs(86_400),
            care_every: vfs::CARE_EVERY,
            journal_bytes: 1 << 20,
        },
        limits: Limits::default(),
    };
    Drive::start(open).unwrap()
}

fn write(drive: &Drive, name: &[u8], content: &'static [u8]) {
    let node = NewNode { kind: Kind::File, mode: 0o644, uid: 0, gid: 0, rdev: 0, target: b"" };
    let flags = OpenFlags { write: true, ..OpenFlags::default() };
    let opened = match drive.lookup(ROOT, name) {
        Ok(attr) => drive.open(attr.ino, OpenFlags { truncate: true, ..flags }).unwrap(),
        Err(_) => drive.create(ROOT, name, node, flags).unwrap().1,
    };
    vfs::wait(|reply| drive.write(opened.handle, 0, content, reply)).unwrap();
    drive.flush(opened.handle).unwrap();
    drive.release(opened.handle);
    vfs::wait(|reply| drive.sync_all(reply)).unwrap();
}

impl Served {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(ApiServer::bind_near(0)).unwrap();
        let address = server.address();
        let token = ApiToken::from_random(&std::array::from_fn(|n| n as u8));
        let host = Arc::new(TestHost {
            drive: drive(),
            stopped: AtomicBool::new(false),
            asks: AtomicBool::new(false),
            scrubbed: std::sync::Mutex::default(),
        });
        let (stop, told) = watch::channel(false);
        let sessions = Arc::new(Sessions::new(random));
        let tokens = Arc::new(Tokens::new(random, Box::new(|_| Ok(()))));
        let access = Access {
            token: token.clone(),
            sessions: Some(Arc::clone(&sessions)),
            tokens,
            workspace: "WORKSPACE".into(),
        };
        runtime.spawn(server.serve(access, Arc::clone(&host) as Arc<dyn Host>, told));
        Self { runtime: Some(runtime), address, token, host, sessions, stop }
    }

    /// Sends exactly these lines and gives status, head and body.
    fn raw(&self, method: &str, route: &str, headers: &[&str], body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut text = format!("{method} {route} HTTP/1.1\r\nconnection: close\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_string())
    }

    fn ask(&self, method: &str, route: &str, body: &Value) -> (u16, Value) {
        let host = format!("host: {}", self.address);
        let token = format!("authorization: Bearer {}", self.token.as_str());
        let headers = [&host, &token, "content-type: application/json"];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, head, body) = self.raw(method, &format!("{API_PREFIX}{route}"), &headers, &text);
        assert!(head.contains("cache-control: no-store"), "{head}");
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
    }

    fn get(&self, route: &str) -> (u16, Value) {
        self.ask("GET", route, &Value::Null)
    }

    fn post(&self, route: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", route, body)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        let _ = self.host.drive.close();
    }
}

#[test]
fn who_is_not_entitled_learns_nothing() {
    let served = Served::start();
    let host = format!("host: {}", served.address);
    let token = format!("authorization: Bearer {}", served.token.as_str());
    let wrong = format!("authorization: Bearer {}", "0".repeat(TOKEN_CHARS));
    let basic = format!("authorization: Basic {}", served.token.as_str());
    let own_origin = format!("origin: http://{}", served.address);
    let localhost = format!("host: localhost:{}", served.address.port());
    let route = format!("{API_PREFIX}/status");
    for (headers, expected) in [
        (vec![host.as_str(), &token], 200),
        (vec![localhost.as_str(), &token], 200),
        (vec![host.as_str(), &token, &own_origin], 200),
        (vec![host.as_str()], 401),
        (vec![host.as_str(), &wrong], 401),
        (vec![host.as_str(), &basic], 401),
        (vec![host.as_str(), "authorization: Bearer "], 401),
        (vec![host.as_str(), &token, &token], 400),
        (vec!["host: evil.example", &token], 421),
        (vec!["host: 127.0.0.1:1", &token], 421),
        (vec![token.as_str()], 421),
        (vec![host.as_str(), &token, "origin: http://evil.example"], 403),
        (vec![host.as_str(), &token, "origin: null"], 403),
        (vec![host.as_str(), &token, "sec-fetch-site: cross-site"], 403),
    ] {
        let (status, head, body) = served.raw("GET", &route, &headers, "");
        assert_eq!(status, expected, "{headers:?}: {body}");
        if status != 200 {
            assert!(head.contains("application/problem+json"), "{head}");
            assert!(!body.contains("workspaces"), "{body}");
        }
    }
    let (status, _, _) = served.raw("GET", &format!("{API_PREFIX}/none"), &[&host], "");
    assert_eq!(status, 401, "not even which routes there are");
}

#[test]
fn only_loopback_is_listened_on() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bound = runtime.block_on(ApiServer::bind("0.0.0.0:0".parse().unwrap()));
    assert!(matches!(bound, Err(ServeError::NotLoopback(_))));
    let first = runtime.block_on(ApiServer::bind_near(0)).unwrap();
    let second = runtime.block_on(ApiServer::bind_near(first.address().port())).unwrap();
    assert_ne!(first.address(), second.address());
    let taken = runtime.block_on(ApiServer::bind(first.address()));
    assert!(matches!(taken, Err(ServeError::Listen { .. })));
}

#[test]
fn those_in_charge_decide_and_declare() {
    let served = Served::start();
    let policy = json!({"copies": 3, "min": 2, "max": 3, "fsync": "local"});
    assert_eq!(served.get("/workspace/policy"), (200, policy.clone()));
    assert_eq!(served.get("/status").1["workspaces"][0]["policy"], policy);
    let (status, told) = served.post("/workspace/policy", &json!({"copies": 5}));
    assert_eq!((status, &told["copies"]), (200, &json!(5)));
    assert_eq!(served.post("/workspace/policy", &json!({"copies": 500})).0, 422);
    assert_eq!(served.post("/devices/lost", &json!({"device": "attic"})).0, 200);
    assert_eq!(served.post("/devices/lost", &json!({"device": "cellar"})).0, 409);
    assert_eq!(served.post("/status/if_lost", &json!({"devices": ["attic"]})).1["devices"][0], "attic");
    assert_eq!(served.post("/status/if_lost", &json!({"devices": []})).0, 400);
    assert_eq!(served.post("/leave", &json!({})).1["state"], "leaving");
    assert_eq!(served.post("/leave", &json!({"cancel": true})).1["state"], "member");
    assert_eq!(served.post("/leave", &json!({"now": true})).0, 409);
    assert_eq!(served.post("/devices/found", &json!({"device": "attic"})).0, 200);
}

#[test]
fn a_setting_is_changed_by_its_name() {
    let served = Served::start();
    assert_eq!(served.get("/settings"), (200, json!([])));
    assert_eq!(served.post("/settings", &json!({"key": "site", "value": "attic"})).0, 200);
    assert_eq!(served.post("/settings", &json!({"key": "none", "value": "attic"})).0, 409);
}

#[test]
fn status_names_what_scripts_rely_on() {
    let served = Served::start();
    write(&served.host.drive, b"letter", b"dear all");
    let (status, told) = served.get("/status");
    assert_eq!(status, 200);
    for key in ["device", "workspaces", "peers", "contributed", "used", "rss_bytes"] {
        assert!(told.get(key).is_some(), "{key} in {told}");
    }
    let workspace = &told["workspaces"][0];
    for key in ["id", "name", "mountpoint", "safe_files", "pending_files", "only_here_files", "conflicts"] {
        assert!(workspace.get(key).is_some(), "{key} in {told}");
    }
    assert_eq!((&workspace["files"], &workspace["bytes"]), (&json!(1), &json!(8)));
    let (_, devices) = served.get("/devices");
    let devices = &devices["entries"];
    assert_eq!(devices[0]["device"], told["device"]);
    assert_eq!((&devices[0]["name"], &devices[0]["this"]), (&json!("box"), &json!(true)));
    let (_, log) = served.get("/log?limit=1000");
    let log = &log["entries"];
    assert!(log.as_array().unwrap().iter().all(|line| line["time"].as_str().unwrap().ends_with('Z')));
    assert_eq!(served.get("/log?limit=100000").0, 400);
    let lines = log.as_array().unwrap();
    let (newest, older) = lines.split_first().unwrap();
    assert!(!older.is_empty(), "{log}");
    let (_, rest) = served.get(&format!("/log?limit=1000&after={}", newest["id"].as_str().unwrap()));
    assert_eq!(rest, json!({ "entries": older, "next": null }), "it goes on where the first part ended");
    assert_eq!(served.get("/log?after=yesterday").0, 400);
}

#[test]
fn an_earlier_version_comes_back() {
    let served = Served::start();
    write(&served.host.drive, b"a b\xff", b"first");
    write(&served.host.drive, b"a b\xff", b"second one");
    let (status, versions) = served.get("/history?path=a%20b%FF");
    assert_eq!(status, 200, "{versions}");
    let versions = versions["entries"].as_array().unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!((&versions[0]["size"], &versions[0]["current"]), (&json!(10), &json!(true)));
    assert_eq!(versions[0]["conflict"], json!(false));
    let old = json!({ "version": versions[1]["id"] });
    let (status, restored) = served.post("/restore?path=a%20b%FF&to=old", &old);
    assert_eq!((status, &restored["size"]), (200, &json!(5)), "{restored}");
    let (_, place) = served.get("/where?path=old");
    assert_eq!((&place["path"], &place["bytes"]), (&json!("old"), &json!(5)));
    assert!(place["hosts"][0]["device"].is_string());
    assert_eq!(served.post("/restore?path=old", &json!({ "version": "none" })).0, 409);
    assert_eq!(served.post("/restore?path=old", &json!({ "time": "soon" })).0, 400);
    assert_eq!(served.post("/restore?path=old", &json!({ "when": 1 })).0, 422);
    assert_eq!(served.post("/restore", &old).0, 400);
    assert_eq!(served.get("/history").0, 400);
    assert_eq!(served.get("/history?path=none").0, 409);
}

#[test]
fn the_drive_is_looked_after() {
    let served = Served::start();
    write(&served.host.drive, b"big", &[7; 100_000]);
    let (_, safe) = served.post("/wait", &json!({ "until": "safe" }));
    assert_eq!(safe["done"], json!(false));
    assert!(safe["why"].as_str().unwrap().contains("never safe"));
    assert_eq!(served.post("/wait", &json!({ "until": "synced" })).1["done"], json!(true));
    assert_eq!(served.get("/scrub").1["state"], json!("idle"));
    assert_eq!(served.post("/scrub", &json!({})).0, 202);
    let ended = loop {
        let (_, scrub) = served.get("/scrub");
        if scrub["state"] != json!("running") {
            break scrub;
        }
    };
    assert_eq!((&ended["state"], &ended["bad_chunks"]), (&json!("done"), &json!(0)), "{ended}");
    let noted = *served.host.scrubbed.lock().unwrap();
    assert_eq!(noted, Some((ended["bytes"].as_u64().unwrap(), 0)), "a person's own is remembered");
    assert_eq!(served.ask("DELETE", "/scrub", &Value::Null).0, 200);
    let (_, findings) = served.get("/doctor");
    assert_eq!(findings[0]["what"], json!("the test looks"));
    assert!(findings.as_array().unwrap().len() > 1);
}

#[test]
fn what_the_daemon_decides_is_passed_on() {
    let served = Served::start();
    assert_eq!(served.get("/contribute").1["contributed"], json!(1));
    assert_eq!(served.post("/contribute", &json!({ "contribute": 99 })).1["contributed"], json!(99));
    let (status, problem) = served.post("/contribute", &json!({ "contribute": 13 }));
    assert_eq!((status, &problem["detail"]), (500, &json!("the disk is broken: mend it")));
    assert_eq!(served.get("/hours").1, json!([]));
    let span = json!({ "from": "08:00", "to": "18:00", "up": 7 });
    let (_, told) = served.post("/hours", &json!({ "hours": [span] }));
    assert_eq!((told[0]["days"].as_array().unwrap().len(), &told[0]["up"]), (7, &json!(7)));
    let (status, problem) =
        served.post("/hours", &json!({ "hours": [{ "days": ["monday"], "from": "1", "to": "2" }] }));
    assert_eq!(status, 422, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("monday"), "{problem}");
    let none = json!({ "days": [], "from": "08:00", "to": "18:00", "up": 7 });
    assert_eq!(served.post("/hours", &json!({ "hours": [none] })).0, 409);
    assert_eq!(served.get("/keys").1, json!({ "user": "ann", "locked": false }));
    assert_eq!(served.post("/keys/passphrase", &json!({ "old": "wrong", "new": "x" })).0, 403);
    assert_eq!(served.post("/keys/passphrase", &json!({ "new": "x" })).0, 200);
    assert_eq!(served.post("/keys/recovery", &json!({})).1["phrase"], json!("one two"));
    assert_eq!(served.post("/keys/lock", &json!({})).0, 409);
    assert!(!served.host.stopped.load(Ordering::SeqCst));
    assert_eq!(served.post("/down", &json!({})).0, 202);
    assert!(served.host.stopped.load(Ordering::SeqCst));
}

#[test]
fn too_much_and_nonsense_are_refused() {
    let served = Served::start();
    assert_eq!(served.get("/none").0, 404);
    assert_eq!(served.ask("DELETE", "/status", &Value::Null).0, 405);
    let long = json!({ "new": "x".repeat(20 << 10) });
    assert_eq!(served.post("/keys/passphrase", &long).0, 413);
    let host = format!("host: {}", served.address);
    let token = format!("authorization: Bearer {}", served.token.as_str());
    let headers = [&host, &token, "content-type: application/json"];
    assert_eq!(served.raw("POST", &format!("{API_PREFIX}/wait"), &headers, "{").0, 400);
    assert_eq!(served.raw("POST", &format!("{API_PREFIX}/wait"), &[&host, &token], "{}").0, 415);
}
