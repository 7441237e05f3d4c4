//! Folders, names and content.

use super::*;

impl Served {
    pub(super) fn content(&self, query: &str, headers: &[&str]) -> (u16, String, String) {
        let host = format!("host: {}", self.address);
        let token = format!("authorization: Bearer {}", self.token.as_str());
        let headers = [&[host.as_str(), &token], headers].concat();
        self.raw("GET", &format!("{API_PREFIX}/files/{query}"), &headers, "")
    }
}

#[test]
fn a_folder_is_told_in_parts() {
    let served = Served::start();
    served.host.drive.make_folder(b"a/sub").unwrap();
    for n in 0..20 {
        write(&served.host.drive, format!("f{n}").as_bytes(), b"text");
        served.host.drive.move_path(format!("f{n}").as_bytes(), format!("a/f{n}").as_bytes()).unwrap();
    }
    let (mut names, mut after) = (Vec::new(), "0".to_string());
    loop {
        let (status, part) = served.get(&format!("/files?path=/a&limit=6&after={after}"));
        assert_eq!(status, 200, "{part}");
        for entry in part["entries"].as_array().unwrap() {
            names.push(entry["name"].as_str().unwrap().to_string());
            if entry["name"] == json!("sub") {
                assert_eq!((&entry["kind"], &entry["size"]), (&json!("folder"), &json!(0)));
            } else {
                assert_eq!((&entry["state"], &entry["size"]), (&json!("only_here"), &json!(4)));
            }
        }
        match part["next"].as_str() {
            Some(next) => after = next.to_string(),
            None => break,
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 21);
    assert_eq!(served.get("/files?path=/none").0, 404);
    assert_eq!(served.get("/files?path=/a/f1").0, 409);
    assert_eq!(served.get("/files?limit=0").0, 400);
    assert_eq!(served.get("/files?limit=100000").0, 400);
    let (_, one) = served.get("/files/entry?path=/a/f7");
    assert_eq!(one["path"], json!("/a/f7"));
    let (_, found) = served.get("/search?words=F1");
    assert_eq!((&found["complete"], found["entries"].as_array().unwrap().len()), (&json!(true), 11));
    assert_eq!(found["entries"][0]["folder"], json!("/a"));
    // The whole tree below a folder, in parts.
    let (mut tree, mut after) = (Vec::new(), String::new());
    loop {
        let (_, part) = served.get(&format!("/search?under=/a&since=1970-01-01T00:00:00Z&limit=5{after}"));
        tree.extend(part["entries"].as_array().unwrap().iter().map(|entry| entry["name"].clone()));
        match part["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    tree.sort_by_key(ToString::to_string);
    tree.dedup();
    assert_eq!(tree.len(), 21, "{tree:?}");
}

#[test]
fn copies_are_counted_of_as_many_files_as_a_page_shows() {
    let served = Served::start();
    let (status, told) = served.post("/files/copies", &json!({ "paths": ["/a%20b", "/none", "/c"] }));
    let files = json!([{ "path": "/a%20b", "copies": 1 }, { "path": "/c", "copies": 1 }]);
    assert_eq!((status, told), (200, json!({ "wanted": 2, "files": files })));
    for wrong in [json!([]), json!(["/%zz"]), json!(vec!["/a"; 65])] {
        assert_eq!(served.post("/files/copies", &json!({ "paths": wrong })).0, 400);
    }
}

#[test]
fn names_are_made_moved_copied_deleted_and_brought_back() {
    let served = Served::start();
    write(&served.host.drive, b"letter", b"dear all");
    assert_eq!(served.post("/files/folder?path=post/new", &json!({})).0, 200);
    assert_eq!(served.post("/files/folder?path=post/new", &json!({})).0, 409);
    assert_eq!(served.post("/files/move?path=letter&to=post/letter", &json!({})).0, 200);
    assert_eq!(served.post("/files/move?path=letter&to=post/other", &json!({})).0, 404);
    assert_eq!(served.post("/files/copy?path=post&to=copy", &json!({})).1["entries"], json!(3));
    assert_eq!(served.post("/files/copy?path=post&to=post/new/x", &json!({})).0, 400);
    let (status, deleted) = served.ask("DELETE", "/files?path=post", &Value::Null);
    assert_eq!((status, &deleted["entries"]), (200, &json!(3)), "{deleted}");
    assert_eq!(served.get("/files?path=post").0, 404);
    let (status, back) = served.post("/files/undelete?path=post", &json!({ "since": deleted["since"] }));
    assert_eq!((status, &back["entries"]), (200, &json!(3)), "{back}");
    assert_eq!(served.content("content?path=post/letter", &[]).2, "dear all");
    assert_eq!(served.ask("DELETE", "/files?path=/", &Value::Null).0, 400);
    assert_eq!(served.post("/files/undelete?path=post", &json!({ "since": "soon" })).0, 400);
}

#[test]
fn content_is_served_in_ranges_and_only_when_it_changed() {
    let served = Served::start();
    write(&served.host.drive, b"a.txt", b"0123456789");
    let (status, head, body) = served.content("content?path=a.txt", &[]);
    assert_eq!((status, body.as_str()), (200, "0123456789"));
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_string();
    let (status, head, body) = served.content("content?path=a.txt", &["range: bytes=2-4"]);
    assert_eq!((status, body.as_str()), (206, "234"));
    assert!(head.contains("content-range: bytes 2-4/10"), "{head}");
    assert_eq!(served.content("content?path=a.txt", &["range: bytes=10-"]).0, 416);
    let known = format!("if-none-match: {tag}");
    assert_eq!(served.content("content?path=a.txt", &[&known]).0, 304);
    let (same, other) = (format!("if-range: {tag}"), "if-range: \"other\"");
    assert_eq!(served.content("content?path=a.txt", &["range: bytes=0-0", &same]).0, 206);
    assert_eq!(served.content("content?path=a.txt", &["range: bytes=0-0", other]).0, 200);
    write(&served.host.drive, b"a.txt", b"9876543210");
    assert_eq!(served.content("content?path=a.txt", &[&known]).0, 200);
    assert_eq!(served.content("content?path=none", &[]).0, 404);
    assert_eq!(served.content("content?path=/", &[]).0, 409);
    assert_eq!(served.content("content?path=..%2f..%2fetc%2fpasswd", &[]).0, 404);
}

#[test]
fn nothing_in_a_file_runs_in_a_browser() {
    let served = Served::start();
    for (name, kind, how) in [
        ("evil.html", "text/plain", "inline"),
        ("evil.svg", "image/svg+xml", "inline"),
        ("evil.xhtml", "application/octet-stream", "attachment"),
        ("evil", "application/octet-stream", "attachment"),
    ] {
        write(&served.host.drive, name.as_bytes(), b"<script>alert(1)</script>");
        let (_, head, _) = served.content(&format!("content?path={name}"), &[]);
        for told in ["content-security-policy: sandbox; default-src 'none'", "nosniff", kind, how] {
            assert!(head.contains(told), "{name}: {told} in {head}");
        }
    }
    let (_, head, _) = served.content("content?path=evil.svg&download=1", &[]);
    assert!(head.contains("attachment"), "{head}");
}

#[test]
fn a_folder_is_one_archive() {
    let served = Served::start();
    served.host.drive.make_folder(b"d/sub").unwrap();
    write(&served.host.drive, b"x", b"content of x");
    served.host.drive.move_path(b"x", b"d/sub/x").unwrap();
    let (status, head, body) = served.content("zip?path=d", &[]);
    assert_eq!(status, 200);
    assert!(head.contains("filename=\"d.zip\""), "{head}");
    assert!(body.contains("sub/x") && body.contains("content of x"));
    assert_eq!(served.content("zip?path=d/sub/x", &[]).0, 409);
}

#[test]
fn a_page_hears_of_a_change_and_what_watches_finds_numbers() {
    let served = Served::start();
    let mut stream = TcpStream::connect(served.address).unwrap();
    let head = format!(
        "GET {API_PREFIX}/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
        served.address,
        served.token.as_str()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let mut heard = String::new();
    let mut until = |wanted: &str, times: usize| {
        while heard.matches(wanted).count() < times {
            let mut piece = [0; 4096];
            let len = stream.read(&mut piece).unwrap();
            assert!(len > 0, "it ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&piece[..len]));
        }
    };
    until("event: status", 1);
    until("event: tree", 1);
    served.host.drive.make_folder(b"new").unwrap();
    until("event: tree", 2);
    let host = format!("host: {}", served.address);
    let token = format!("authorization: Bearer {}", served.token.as_str());
    let (status, _, told) = served.raw("GET", "/metrics", &[&host, &token], "");
    assert_eq!(status, 200);
    assert!(told.contains("\npeerdrive_directories "), "{told}");
    let (_, storage) = served.get("/storage");
    assert_eq!((&storage["disk_bytes"], &storage["target"]), (&json!(1000), &json!(3)));
    write(&served.host.drive, b"mine", b"12345");
    let (_, spread) = served.get("/storage/distribution");
    let here = spread["chunks_here"].as_array().unwrap();
    assert_eq!((here.len(), &here[0], &here[1], &here[2]), (64, &json!(64), &json!(1), &json!(0)));
    let device = &spread["devices"][0];
    assert_eq!((&device["owned"], &device["used"], &device["this"]), (&json!(4096), &json!(5), &json!(true)));
    assert_eq!((&spread["partitions"], &spread["copies"]), (&json!(4096), &json!(3)));
    let (_, written) = served.get("/storage/written");
    assert_eq!((&written["complete"], &written["devices"][0]["user_name"]), (&json!(true), &json!("owner")));
    assert!(written["devices"][0]["bytes"].as_u64().unwrap() >= 5, "{written}");
    assert_eq!((&storage["saved_bytes"], &storage["compressed_away_bytes"]), (&json!(7), &json!(9)));
    let (_, drawn) = served.post("/qr", &json!({ "text": "7-amber-falcon" }));
    let rows = drawn["rows"].as_array().unwrap();
    assert!(rows.len() >= 21 && rows.iter().all(|row| row.as_str().unwrap().len() == rows.len()));
    assert_eq!(served.post("/qr", &json!({ "text": "x".repeat(2000) })).0, 400);
}

#[test]
fn what_is_described_is_there() {
    let served = Served::start();
    let (status, told) = served.get("/openapi.json");
    assert_eq!((status, &told["openapi"]), (200, &json!("3.1.0")));
    let mut asked = 0;
    for (path, methods) in told["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            // These do what they say, and would end or hold up the test.
            if ["/down", "/keys/lock", "/events", "/wait"].contains(&path.as_str()) {
                continue;
            }
            let host = format!("host: {}", served.address);
            let token = format!("authorization: Bearer {}", served.token.as_str());
            let route = format!("{API_PREFIX}{}", path.replace("{address}", "1-x"));
            let (status, _, body) = served.raw(&method.to_uppercase(), &route, &[&host, &token], "");
            assert!(status < 500 && status != 405, "{method} {path}: {status} {body}");
            assert!(!body.contains("no such route"), "{method} {path}");
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 35, "{asked}");
    for name in ["Status", "Entry", "Problem", "TreeChanged"] {
        assert!(told["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn an_earlier_version_is_read_without_bringing_it_back() {
    let served = Served::start();
    write(&served.host.drive, b"a.txt", b"the first");
    write(&served.host.drive, b"a.txt", b"another one");
    let (_, versions) = served.get("/history?path=a.txt");
    let old = versions["entries"][1]["id"].as_str().unwrap();
    let (status, head, body) = served.content(&format!("content?path=a.txt&version={old}"), &[]);
    assert_eq!((status, body.as_str()), (200, "the first"));
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let part = [format!("if-range: {tag}"), "range: bytes=4-".into()];
    let part: Vec<&str> = part.iter().map(String::as_str).collect();
    let (status, _, body) = served.content(&format!("content?path=a.txt&version={old}"), &part);
    assert_eq!((status, body.as_str()), (206, "first"));
    let (_, now, _) = served.content("content?path=a.txt", &[]);
    assert!(!now.contains(tag), "another version has another tag");
    assert_eq!(served.content("content?path=a.txt", &part).0, 200, "and none of its parts are mixed in");
    served.host.drive.remove_path(b"a.txt").unwrap();
    assert_eq!(served.content(&format!("content?path=a.txt&version={old}"), &[]).2, "the first");
    for wrong in ["x", "0000000000000000-0000000000000000"] {
        assert_eq!(served.content(&format!("content?path=a.txt&version={wrong}"), &[]).0, 409);
    }
}

#[test]
fn a_folder_comes_as_a_tar_with_all_that_is_in_it() {
    let served = Served::start();
    served.host.drive.make_folder("Ärger/sub".as_bytes()).unwrap();
    write(&served.host.drive, b"letter", b"dear all");
    let long = "n".repeat(200);
    served.host.drive.move_path(b"letter", format!("Ärger/sub/{long}").as_bytes()).unwrap();
    let mut stream = TcpStream::connect(served.address).unwrap();
    let head = format!(
        "GET {API_PREFIX}/files/tar?path=%C3%84rger HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
        served.address,
        served.token.as_str()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let mut tar = tar::Archive::new(zstd::Decoder::new(&answer[body..]).unwrap());
    let mut found: Vec<(String, u64)> = Vec::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        assert!(content.is_empty() || content == "dear all");
        assert!(entry.header().mtime().unwrap() > 1_600_000_000);
        found.push((String::from_utf8(entry.path_bytes().into_owned()).unwrap(), entry.size()));
    }
    assert_eq!(found, [("sub/".to_string(), 0), (format!("sub/{long}"), 8)]);
    assert_eq!(served.get("/files/tar?path=none").0, 404);
}

#[test]
fn long_lists_are_compressed_for_who_wants_it_and_nothing_else() {
    let served = Served::start();
    served.host.drive.make_folder(b"many").unwrap();
    for n in 0..300 {
        served.host.drive.make_folder(format!("many/a folder of this name {n}").as_bytes()).unwrap();
    }
    write(&served.host.drive, b"long.txt", &[b'a'; 50_000]);
    let token = format!("authorization: Bearer {}", served.token.as_str());
    let host = format!("host: {}", served.address);
    let ask = |route: &str, wants: &str| {
        let wants = format!("accept-encoding: {wants}");
        served.raw("GET", &format!("{API_PREFIX}{route}"), &[&host, &token, &wants], "").1
    };
    for coding in ["gzip", "br", "zstd"] {
        assert!(ask("/files?path=many", coding).contains(&format!("content-encoding: {coding}")));
    }
    for (route, wants) in
        [("/files?path=many", "identity"), ("/status", "gzip"), ("/files/content?path=long.txt", "gzip")]
    {
        assert!(!ask(route, wants).contains("content-encoding"), "{route}");
    }
}
