//! What the panel refuses, and what nobody can make it run.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;
use tests::Start;

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

#[test]
fn where_the_panel_asks_for_the_passphrase_the_link_alone_opens_nothing() {
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("passphrase");
    fs::write(&file, "over a quiet lake\n").unwrap();
    let mut open = Open::with(Start::default().arg("--passphrase-file").arg(&file));
    open.page("Settings");
    let choose = "const field = document.getElementById('set-panel_passphrase'); field.value = 'true'; field.dispatchEvent(new Event('change'));";
    open.browser.wait("the setting", || {
        open.browser.run("return document.getElementById('set-panel_passphrase') !== null", &[])
            == json!(true)
    });
    open.browser.run(choose, &[]);
    open.browser.wait_for(".toast", "holds from the next start on");
    open.daemon.restart();
    let browser = &open.browser;
    let link = open.link();
    browser.go("about:blank");
    browser.go(&link);
    browser.wait_for(".sign-in h2", "with your passphrase");
    assert_eq!(browser.run("return document.activeElement.id", &[]), json!("passphrase"));
    browser.shot("sign-in-passphrase");
    browser.fill("#passphrase", "over a loud lake");
    browser.click(".sign-in button", "Open");
    browser.wait_for(".sign-in .wrong", "passphrase");
    assert!(!browser.shows("nav .links", "Devices"));
    browser.fill("#passphrase", "over a quiet lake");
    browser.press("\u{e007}");
    browser.wait_for("nav .links", "Devices");
    // Tried too often, a link is none.
    browser.chromium("Network.clearBrowserCookies", &json!({}));
    browser.go("about:blank");
    browser.go(&open.link());
    for turn in 0..5 {
        browser.fill("#passphrase", &format!("guess {turn}"));
        browser.click(".sign-in button", "Open");
        browser.wait_for(".sign-in .wrong", "passphrase");
        browser.run("document.querySelector('.sign-in .wrong').textContent = ''", &[]);
    }
    browser.fill("#passphrase", "over a quiet lake");
    browser.click(".sign-in button", "Open");
    browser.wait_for(".sign-in", "this link was used already");
}

#[test]
fn another_browser_is_seen_and_signed_out() {
    let open = Open::start();
    let other = super::browser::Browser::start();
    other.go(open.daemon.json(&["panel", "--scope", "read"])["url"].as_str().unwrap());
    other.wait_for("nav .links", "Devices");
    open.page("Settings");
    let browser = &open.browser;
    browser.wait_for("main .versions .tag", "this one");
    browser.wait_for("main .versions .tag", "see everything");
    let sign_out = "[...document.querySelectorAll('main .versions li')].find((line) => line.textContent.includes('see everything')).querySelector('button').click()";
    browser.run(sign_out, &[]);
    browser.wait("that it goes", || !browser.shows("main .versions .tag", "see everything"));
    other.run("location.hash = '#/devices'", &[]);
    other.wait_for(".sign-in", "You are signed out");
    assert!(browser.shows("nav .links", "Devices"));
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
