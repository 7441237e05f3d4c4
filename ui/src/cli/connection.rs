//! The way to the daemon: its address and token lie in the data folder.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Method, Request};
use ureq::{Agent, Body, SendBody};

use super::computer::Computer;
use super::failure::Failure;
use crate::answers::{Page, Problem};
use crate::api::{API_PREFIX, ApiToken};

/// File in the data folder with the address the daemon listens on.
pub const ADDRESS_FILE: &str = "api.addr";
/// File in the data folder with the token.
pub const TOKEN_FILE: &str = "api.token";
/// Bytes of either file at most.
const MAX_FILE_BYTES: u64 = 1024;
/// Bytes of an answer at most.
const MAX_ANSWER_BYTES: u64 = 64 << 20;
/// Entries of a list in one answer: what every list tells at once.
const PART_ENTRIES: usize = 1000;
/// How long a daemon that is starting may take until it listens.
const START_WAIT: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Longer than the daemon's own patience with one request.
const ANSWER_WAIT: Duration = Duration::from_secs(150);

/// A daemon that was found.
pub(super) struct Connection {
    agent: Agent,
    base: String,
    token: ApiToken,
}

impl Connection {
    /// Finds the daemon of a data folder.
    pub(super) fn open(data: &Path, computer: &dyn Computer) -> Result<Self, Failure> {
        let address = find_address(data, computer)?;
        let path = data.join(TOKEN_FILE);
        let file = read_small(&path).map_err(|error| unreadable(&path, &error))?;
        let token = ApiToken::parse(file.as_bytes());
        let token = token.ok_or_else(|| {
            Failure::Failed(format!("{} holds no token: start the daemon again", path.display()))
        })?;
        // A proxy of the environment must never see the token.
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(ANSWER_WAIT))
            .build();
        Ok(Self { agent: config.into(), base: format!("http://{address}{API_PREFIX}"), token })
    }

    pub(super) fn get<T: DeserializeOwned>(&self, route: &str) -> Result<T, Failure> {
        self.ask(Method::GET, route, SendBody::none())
    }

    /// The first `most` entries of a list that is told in parts.
    pub(super) fn list<T: DeserializeOwned>(&self, route: &str, most: usize) -> Result<Vec<T>, Failure> {
        let mark = if route.contains('?') { '&' } else { '?' };
        let (mut all, mut after) = (Vec::new(), None::<String>);
        while all.len() < most {
            let limit = (most - all.len()).min(PART_ENTRIES);
            let place = after.as_ref().map(|place| format!("&after={place}")).unwrap_or_default();
            let part: Page<T> = self.get(&format!("{route}{mark}limit={limit}{place}"))?;
            all.extend(part.entries);
            if part.next.is_none() {
                break;
            }
            if part.next == after {
                return Err(strange("a list does not go on"));
            }
            after = part.next;
        }
        Ok(all)
    }

    pub(super) fn delete<T: DeserializeOwned>(&self, route: &str) -> Result<T, Failure> {
        self.ask(Method::DELETE, route, SendBody::none())
    }

    pub(super) fn post<T: DeserializeOwned>(&self, route: &str, body: &impl Serialize) -> Result<T, Failure> {
        let wrong = |error| Failure::Failed(format!("cannot write the request ({error}): report this bug"));
        self.ask(Method::POST, route, SendBody::from_json(body).map_err(wrong)?)
    }

    fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
        body: SendBody<'_>,
    ) -> Result<T, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{route}", self.base))
            .header("authorization", format!("Bearer {}", self.token.as_str()))
            .header("content-type", "application/json")
            .body(body)
            .map_err(|error| Failure::Usage(format!("this cannot be asked of the daemon ({error})")))?;
        let mut response = self.agent.run(request).map_err(|error| unreachable_daemon(&error))?;
        let text = read_answer(response.body_mut())?;
        if response.status().is_success() {
            return serde_json::from_str(&text).map_err(|error| strange(&error.to_string()));
        }
        let problem: Problem = serde_json::from_str(&text)
            .map_err(|_| strange(&format!("status {}", response.status().as_u16())))?;
        Err(Failure::Failed(problem.detail))
    }
}

/// The address of the daemon of a data folder. One that died leaves its file behind, and its port may be somebody
/// else's by now: nothing is sent there unless the folder's lock is held.
fn find_address(data: &Path, computer: &dyn Computer) -> Result<String, Failure> {
    let path = data.join(ADDRESS_FILE);
    let deadline = Instant::now() + START_WAIT;
    while computer.daemon_runs(data) {
        match read_small(&path) {
            Ok(address) if address.trim().parse::<std::net::SocketAddr>().is_ok() => {
                return Ok(address.trim().to_string());
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unreadable(&path, &error)),
            // It is not written yet, or half.
            Ok(_) | Err(_) => {}
        }
        if Instant::now() >= deadline {
            let told = "the daemon is starting or stopping and does not answer yet: try again in a moment";
            return Err(Failure::NoDaemon(told.into()));
        }
        std::thread::sleep(PAUSE);
    }
    let told = format!("no daemon runs for {}: start one with `peerdrive up`", data.display());
    Err(Failure::NoDaemon(told))
}

fn read_small(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => "run as the user who started the daemon",
        ErrorKind::InvalidData => "start the daemon again",
        _ => "check the disk of the data folder",
    };
    Failure::Failed(format!("cannot read {} ({error}): {remedy}", path.display()))
}

fn read_answer(body: &mut Body) -> Result<String, Failure> {
    let read = body.with_config().limit(MAX_ANSWER_BYTES).read_to_string();
    read.map_err(|error| strange(&error.to_string()))
}

fn strange(why: &str) -> Failure {
    Failure::Failed(format!(
        "the daemon answered strangely ({why}): is it of another version than this command?"
    ))
}

fn unreachable_daemon(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::Timeout(_) => Failure::Failed("the daemon does not answer: see its log".into()),
        other => Failure::NoDaemon(format!("the daemon does not answer ({other}): is it stopping?")),
    }
}
