//! Browsers that are signed in, and those that are not.

use super::*;

impl Served {
    /// Signs in with the link and gives the cookie.
    pub(super) fn sign_in(&self, url: &str) -> Result<String, (u16, String)> {
        self.sign_in_with(url, None)
    }

    fn sign_in_with(&self, url: &str, passphrase: Option<&str>) -> Result<String, (u16, String)> {
        let link = url.split_once("#link=").unwrap().1;
        let host = format!("host: {}", self.address);
        let origin = format!("origin: http://{}", self.address);
        let headers = [host.as_str(), &origin, "content-type: application/json", "user-agent: a browser"];
        let body = json!({ "link": link, "passphrase": passphrase }).to_string();
        let (status, head, told) = self.raw("POST", &format!("{API_PREFIX}/session"), &headers, &body);
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        match (status, cookie) {
            (200, Some(cookie)) => {
                for part in ["httponly", "samesite=strict", "path=/"] {
                    assert!(cookie.contains(part), "{cookie}");
                }
                Ok(format!("cookie: other=1; {}", cookie.split(';').next().unwrap()))
            }
            _ => Err((status, told)),
        }
    }

    pub(super) fn in_session(&self, method: &str, route: &str, headers: &[&str]) -> (u16, String, String) {
        let host = format!("host: {}", self.address);
        let headers = [&[host.as_str()], headers].concat();
        self.raw(method, &format!("{API_PREFIX}{route}"), &headers, "")
    }
}

#[test]
fn a_link_opens_one_session_that_ends_when_it_is_signed_out() {
    let served = Served::start();
    let url = served.sessions.new_url(served.address, Scope::Admin);
    let cookie = served.sign_in(&url).unwrap();
    assert_eq!(served.sign_in(&url).unwrap_err().0, 401, "a link works once");
    assert_eq!(served.in_session("GET", "/status", &[&cookie]).0, 200);
    let (_, _, sessions) = served.in_session("GET", "/sessions", &[&cookie]);
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    let sessions = &sessions["entries"];
    assert_eq!((&sessions[0]["browser"], &sessions[0]["current"]), (&json!("a browser"), &json!(true)));
    let origin = format!("origin: http://{}", served.address);
    let (status, head, _) = served.in_session("DELETE", "/sessions", &[&cookie, &origin]);
    assert_eq!(status, 200);
    assert!(head.contains("max-age=0"), "{head}");
    assert_eq!(served.in_session("GET", "/status", &[&cookie]).0, 401);
}

#[test]
fn a_session_is_worth_nothing_to_another_page() {
    let served = Served::start();
    let cookie = served.sign_in(&served.sessions.new_url(served.address, Scope::Admin)).unwrap();
    let own = format!("origin: http://{}", served.address);
    for (method, headers, expected) in [
        ("POST", vec![own.as_str()], 200),
        ("POST", vec!["origin: http://evil.example"], 403),
        ("POST", vec!["origin: null"], 403),
        ("POST", vec!["origin: http://127.0.0.1:1"], 403),
        ("POST", vec![], 403),
        ("DELETE", vec![], 403),
        ("POST", vec![own.as_str(), "sec-fetch-site: cross-site"], 403),
        ("POST", vec![own.as_str(), "sec-fetch-site: same-site"], 403),
        ("GET", vec!["sec-fetch-site: same-site"], 403),
    ] {
        let route = if method == "DELETE" { "/files?path=none" } else { "/files/folder?path=made" };
        let headers = [&[cookie.as_str()], headers.as_slice()].concat();
        assert_eq!(served.in_session(method, route, &headers).0, expected, "{method} {headers:?}");
        let _ = served.host.drive.remove_path(b"made");
    }
    let foreign = served.raw("GET", &format!("{API_PREFIX}/status"), &["host: evil.example", &cookie], "");
    assert_eq!(foreign.0, 421, "a name that was pointed at loopback");
    for wrong in ["cookie: peerdrive-1=x".to_string(), format!("{cookie}0"), "cookie: ;;=;".into()] {
        assert_eq!(served.in_session("GET", "/status", &[&wrong]).0, 401);
    }
    assert_eq!(served.in_session("GET", "/status", &[&cookie, "authorization: Bearer x"]).0, 401);
}

#[test]
fn the_page_is_everybodys_and_its_rules_are_strict() {
    let served = Served::start();
    let host = format!("host: {}", served.address);
    let (status, head, body) = served.raw("GET", "/", &[&host], "");
    assert_eq!(status, 200);
    assert!(body.contains("<script type=\"module\" src=\"/panel/"), "{body}");
    for rule in [
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "x-frame-options: deny",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(head.contains(rule), "{rule} in {head}");
    }
    assert!(!head.contains("unsafe-inline") && !body.contains("<script>") && !body.contains(" on"), "{body}");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    assert_eq!(served.raw("GET", "/", &[&host, &format!("if-none-match: {tag}")], "").0, 304);
    assert_eq!(served.raw("GET", "/", &["host: evil.example"], "").0, 421);
    assert_eq!(served.raw("GET", "/", &[&host, "sec-fetch-site: cross-site"], "").0, 403);
    assert_eq!(served.raw("GET", "/panel/../Cargo.toml", &[&host], "").0, 404);
    assert_eq!(served.raw("GET", "/panel/%2e%2e/Cargo.toml", &[&host], "").0, 404);
    assert_eq!(served.raw("GET", "/healthz", &[&host], "").2, "ok\n");
    assert_eq!(served.raw("GET", "/metrics", &[&host], "").0, 401);
}

#[test]
fn without_a_panel_there_is_none() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut served = Served::start();
    let server = runtime.block_on(ApiServer::bind_near(0)).unwrap();
    served.address = server.address();
    let access = Access {
        token: served.token.clone(),
        sessions: None,
        tokens: Arc::new(Tokens::new(random, Box::new(|_| Ok(())))),
        workspace: "WORKSPACE".into(),
    };
    let (_stop, told) = watch::channel(false);
    runtime.spawn(server.serve(access, Arc::clone(&served.host) as Arc<dyn Host>, told));
    let host = format!("host: {}", served.address);
    assert_eq!(served.raw("GET", "/", &[&host], "").0, 401);
    assert_eq!(served.raw("POST", &format!("{API_PREFIX}/session"), &[&host], "").0, 401);
    assert_eq!(served.post("/panel", &json!({})).0, 409);
    assert_eq!(served.get("/status").0, 200);
    runtime.shutdown_background();
}

#[test]
fn where_the_panel_asks_for_the_passphrase_a_link_alone_opens_nothing() {
    let served = Served::start();
    served.host.asks.store(true, Ordering::SeqCst);
    let link = || served.sessions.new_url(served.address, Scope::Admin);
    let first = link();
    // To be asked is no try.
    for _ in 0..20 {
        assert_eq!(served.sign_in(&first).unwrap_err().0, 403);
    }
    for _ in 0..4 {
        assert_eq!(served.sign_in_with(&first, Some("wrong")).unwrap_err().0, 403);
    }
    let cookie = served.sign_in_with(&first, Some("right")).unwrap();
    assert_eq!(served.in_session("GET", "/status", &[&cookie]).0, 200);
    assert_eq!(served.sign_in_with(&first, Some("right")).unwrap_err().0, 401, "a link works once");
    let second = link();
    for _ in 0..5 {
        assert_eq!(served.sign_in_with(&second, Some("wrong")).unwrap_err().0, 403);
    }
    assert_eq!(served.sign_in_with(&second, Some("right")).unwrap_err().0, 401, "it was tried too often");
    assert_eq!(served.sign_in_with("#link=00", Some("right")).unwrap_err().0, 401, "no link, no try");
}
