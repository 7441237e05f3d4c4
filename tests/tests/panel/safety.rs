//! What the panel refuses, and what nobody can make it run.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use super::Open;

const HOSTILE: [(&str, &str); 3] = [
    (
        "evil.html",
        "<body onload=\"fetch('/api/v1/files?path=/victim',{method:'DELETE'})\"><script>top.document.title='owned'</script>",
    ),
    (
        "evil.svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"top.document.title='owned'\"><script>fetch('/api/v1/down',{method:'POST'})</script></svg>",
    ),
    ("<img src=x onerror=document.title='owned'>.txt", "<script>document.title='owned'</script>"),
];

#[test]
fn a_hostile_file_runs_nothing() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    fs::write(mount.join("victim"), "here").unwrap();
    for (name, content) in HOSTILE {
        fs::write(mount.join(name), content).unwrap();
        browser.click(".rows .entry-name", name);
        browser.wait_for("dialog h2", name);
        let shown = if name.ends_with("svg") { "dialog .stage" } else { "dialog .stage pre" };
        browser.wait_for(shown, if name.ends_with("svg") { "" } else { "<script>" });
        browser.press("\u{e00c}");
    }
    let base = browser.run("return location.origin", &[]);
    // Opened by themselves they are as tame.
    for (name, _) in &HOSTILE[..2] {
        browser.go(&format!("{}/api/v1/files/content?path=/{name}", base.as_str().unwrap()));
        browser.wait("the document", || browser.run("return document.readyState", &[]) == json!("complete"));
        assert_ne!(browser.run("return document.title", &[]), json!("owned"));
        assert_eq!(browser.run("return self.origin", &[]), json!("null"), "it is nobody's page");
    }
    assert_eq!(fs::read(mount.join("victim")).unwrap(), b"here");
    assert_eq!(open.daemon.json(&["status"])["health"], json!("ok"));
}

#[test]
fn a_page_of_somebody_else_gets_nothing() {
    let open = Open::start();
    let browser = &open.browser;
    let panel = browser.run("return location.origin", &[]).as_str().unwrap().to_string();
    // A web server on another port of this computer: for cookies that is the same site.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stranger = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream);
        }
    });
    browser.go(&format!("http://{stranger}/"));
    for (method, mode) in [("GET", "no-cors"), ("POST", "no-cors"), ("GET", "cors"), ("DELETE", "cors")] {
        let script = "const [url, method, mode] = arguments;
                      return fetch(url, { method, mode, credentials: 'include' }).then((answer) => `${answer.type} ${answer.status}`, () => 'refused')";
        let told =
            browser.run(script, &[json!(format!("{panel}/api/v1/files?path=/")), json!(method), json!(mode)]);
        assert!(["refused", "opaque 0"].contains(&told.as_str().unwrap()), "{method} {mode}: {told}");
    }
    browser.run(
        "const frame = document.createElement('iframe'); frame.src = arguments[0]; document.body.append(frame);
         return new Promise((done) => { frame.onload = () => done(true); })",
        &[json!(panel)],
    );
    assert_eq!(
        browser.run("try { return frames[0].document.title } catch { return 'closed' }", &[]),
        json!("closed")
    );
    // Another computer's name that was pointed at loopback.
    let port = panel.rsplit(':').next().unwrap();
    browser.go(&format!("{panel}/"));
    browser.wait_for("nav .links", "Devices");
    browser.go(&format!("http://localhost:{port}/"));
    browser.wait_for(".sign-in", "peerdrive panel");
    let mut stream = TcpStream::connect(panel.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 421"), "{told}");
}

#[test]
fn who_signs_out_is_out() {
    let open = Open::start();
    let browser = &open.browser;
    open.page("Settings");
    browser.click("button", "Sign out");
    browser.wait_for(".sign-in", "You are signed out");
    browser.shot("signed-out");
    browser.go("about:blank");
    let link = open.link();
    browser.go(&link);
    browser.wait_for("nav .links", "Devices");
    browser.go("about:blank");
    browser.chromium("Network.clearBrowserCookies", &json!({}));
    browser.go(&link);
    browser.wait_for(".sign-in", "this link was used already");
}

fn answer(mut stream: TcpStream) {
    let mut asked = [0; 4096];
    // Whatever is asked, the page is the same; a browser that went away is no loss.
    let _ = stream.read(&mut asked);
    let body = "<!doctype html><title>stranger</title><body></body>";
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}
