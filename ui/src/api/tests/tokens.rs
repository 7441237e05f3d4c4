//! Programs that may less than everything, and clients that ask too often.

use super::*;

impl Served {
    fn with_token(&self, token: &str, method: &str, route: &str, body: &str) -> (u16, String, String) {
        let host = format!("host: {}", self.address);
        let token = format!("authorization: Bearer {token}");
        let headers = [host.as_str(), &token, "content-type: application/json"];
        self.raw(method, &format!("{API_PREFIX}{route}"), &headers, body)
    }

    fn new_token(&self, name: &str, scope: &str) -> String {
        let (status, made) = self.post("/tokens", &json!({ "name": name, "scope": scope }));
        assert_eq!(status, 200, "{made}");
        made["token"].as_str().unwrap().into()
    }
}

#[test]
fn a_token_may_what_it_was_made_for_until_it_is_revoked() {
    let served = Served::start();
    write(&served.host.drive, b"letter", b"dear all");
    let tokens = ["read", "write", "admin"].map(|scope| served.new_token(&format!("a {scope}"), scope));
    let (read, write, admin) = (200, "/files/folder?path=made", "/invite");
    for (token, expected) in tokens.iter().zip([(read, 403, 403), (read, 200, 403), (read, 409, 200)]) {
        let looks = served.with_token(token, "GET", "/files/entry?path=letter", "").0;
        let changes = served.with_token(token, "POST", write, "").0;
        let decides = served.with_token(token, "POST", admin, "{}").0;
        assert_eq!((looks, changes, decides), expected);
    }
    for (method, route) in [
        ("GET", "/tokens"),
        ("GET", "/sessions"),
        ("POST", "/panel"),
        ("POST", "/down"),
        ("POST", "/keys/recovery"),
        ("DELETE", "/tokens?token=1"),
        ("DELETE", "/sessions?id=1"),
    ] {
        assert_eq!(served.with_token(&tokens[1], method, route, "{}").0, 403, "{method} {route}");
    }
    for (method, route) in
        [("DELETE", "/files?path=letter"), ("POST", "/uploads?path=x"), ("HEAD", "/uploads/1-2")]
    {
        assert_eq!(served.with_token(&tokens[0], method, route, "").0, 403, "{method} {route}");
    }
    let (_, list) = served.get("/tokens");
    let list = &list["entries"];
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert_eq!((&list[0]["name"], &list[0]["scope"]), (&json!("a read"), &json!("read")));
    assert!(list[0]["used"].is_string() && list[0].get("token").is_none(), "{list}");
    assert_eq!(served.ask("DELETE", "/tokens?token=a%20read", &Value::Null).0, 200);
    assert_eq!(served.with_token(&tokens[0], "GET", "/status", "").0, 401);
    assert_eq!(served.with_token(&tokens[1], "GET", "/status", "").0, 200);
    assert_eq!(served.ask("DELETE", "/tokens?token=1", &Value::Null).0, 404);
    assert_eq!(served.post("/tokens", &json!({ "name": "", "scope": "read" })).0, 400);
    assert_eq!(served.post("/tokens", &json!({ "name": "x", "scope": "root" })).0, 422);
}

#[test]
fn a_link_may_open_a_session_that_only_reads() {
    let served = Served::start();
    let (status, link) = served.post("/panel?scope=read", &json!({}));
    assert_eq!(status, 200);
    assert_eq!(served.post("/panel?scope=root", &json!({})).0, 400);
    let cookie = served.sign_in(link["url"].as_str().unwrap()).unwrap();
    let origin = format!("origin: http://{}", served.address);
    assert_eq!(served.in_session("GET", "/status", &[&cookie]).0, 200);
    for route in ["/files/folder?path=x", "/panel", "/invite", "/down"] {
        let (status, _, told) = served.in_session("POST", route, &[&cookie, &origin]);
        assert_eq!(status, 403, "{route}: {told}");
    }
    assert_eq!(served.in_session("DELETE", "/sessions", &[&cookie, &origin]).0, 200, "out is always allowed");
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let served = Served::start();
    let wrong = "0".repeat(TOKEN_CHARS);
    let refused = (0..1000).map(|_| served.with_token(&wrong, "GET", "/status", ""));
    let (status, head, told) = refused.into_iter().find(|(status, _, _)| *status != 401).expect("a bound");
    assert_eq!(status, 429, "{told}");
    assert!(head.contains("retry-after: 1") && head.contains("application/problem+json"), "{head}");
    assert_eq!(served.get("/status").0, 200, "others do not suffer for it");
}
