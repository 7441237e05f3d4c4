//! A real browser, led by the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>).

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::program;
use ureq::Agent;

/// How long a page may take to show what is waited for, on a machine that builds something else meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the page.
const PAUSE: Duration = Duration::from_millis(50);
/// The name under which the protocol hands elements out.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One headless browser with a profile of its own; ended when it is dropped.
pub struct Browser {
    agent: Agent,
    session: String,
    driver: Child,
    clicks: Cell<u32>,
    fields: Cell<u32>,
    /// Profile and downloads; deleted last.
    folder: TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("peerdrive-browser-").tempdir().unwrap();
        let mut driver = program("chromedriver")
            .arg("--port=0")
            // Or names of files would have to be ASCII.
            .env("LC_ALL", "C.UTF-8")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = port_of(&mut driver);
        let config = Agent::config_builder().proxy(None).http_status_as_error(false).build();
        let mut browser = Self {
            agent: config.into(),
            session: format!("http://127.0.0.1:{port}/session"),
            driver,
            clicks: Cell::new(0),
            fields: Cell::new(0),
            folder,
        };
        let opened = browser.ask("", &json!({ "capabilities": { "alwaysMatch": browser.capabilities() } }));
        browser.session = format!("{}/{}", browser.session, opened["sessionId"].as_str().unwrap());
        browser
    }

    fn capabilities(&self) -> Value {
        let profile = self.folder.path().join("profile");
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--force-color-profile=srgb",
            "--window-size=1280,860",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let downloads = self.downloads();
        fs::create_dir_all(&downloads).unwrap();
        json!({
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "args": args,
                "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false },
            },
        })
    }

    /// Where downloads go.
    pub fn downloads(&self) -> std::path::PathBuf {
        self.folder.path().join("downloads")
    }

    pub fn go(&self, url: &str) {
        self.ask("/url", &json!({ "url": url }));
    }

    /// Runs a script in the page, whose own rules do not hold for it.
    pub fn run(&self, script: &str, args: &[Value]) -> Value {
        self.ask("/execute/sync", &json!({ "script": script, "args": args }))
    }

    /// The same for a script that says later what came of it, to the function that is its last argument.
    pub fn run_until_told(&self, script: &str) -> Value {
        self.ask("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Whether something of the page fits a selector and holds this text.
    pub fn shows(&self, selector: &str, text: &str) -> bool {
        let script = "return [...document.querySelectorAll(arguments[0])].some((found) => found.textContent.includes(arguments[1]))";
        self.run(script, &[json!(selector), json!(text)]) == json!(true)
    }

    /// Waits until that is so.
    pub fn wait_for(&self, selector: &str, text: &str) {
        self.wait(&format!("«{text}» in {selector}"), || self.shows(selector, text));
    }

    pub fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            let page = || self.run("return document.body.innerText", &[]);
            assert!(
                Instant::now() < deadline,
                "{what} did not come; the page says {}; {:?}",
                page(),
                self.complaints()
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Clicks what fits a selector and holds this text, as a person would: it must be in sight.
    pub fn click(&self, selector: &str, text: &str) {
        self.clicks.set(self.clicks.get() + 1);
        self.wait(&format!("a click on «{text}» in {selector}"), || self.try_click(selector, text));
    }

    /// How often somebody clicked, and how many fields were filled in.
    pub fn hands(&self) -> (u32, u32) {
        (self.clicks.get(), self.fields.get())
    }

    /// False when it is not there, or went while it was aimed at: a page that is drawn anew has another one at once.
    fn try_click(&self, selector: &str, text: &str) -> bool {
        if !self.shows(selector, text) {
            return false;
        }
        let script = "const found = [...document.querySelectorAll(arguments[0])].find((one) => one.textContent.includes(arguments[1]));
                      found?.scrollIntoView({ block: 'nearest' }); return found ?? null";
        let found = self.run(script, &[json!(selector), json!(text)]);
        if found.is_null() {
            return false;
        }
        let url = format!("{}/element/{}/click", self.session, element(&found));
        let mut answer = self.agent.post(url).send_json(json!({})).unwrap();
        if answer.status().is_success() {
            return true;
        }
        let told: Value = answer.body_mut().read_json().unwrap();
        let why = told["value"]["error"].as_str().unwrap_or_default();
        assert!(["stale element reference", "element click intercepted"].contains(&why), "{}", told["value"]);
        false
    }

    /// Types into a field.
    pub fn fill(&self, selector: &str, text: &str) {
        self.fields.set(self.fields.get() + 1);
        let found = self.find(selector);
        self.ask(&format!("/element/{found}/clear"), &json!({}));
        self.ask(&format!("/element/{found}/value"), &json!({ "text": text }));
    }

    /// Chooses a file in a field, hidden or not.
    pub fn choose_file(&self, selector: &str, path: &std::path::Path) {
        self.ask(&format!("/element/{}/value", self.find(selector)), &json!({ "text": path }));
    }

    fn find(&self, selector: &str) -> String {
        self.wait(selector, || {
            self.run("return document.querySelector(arguments[0]) !== null", &[json!(selector)])
                == json!(true)
        });
        element(&self.ask("/element", &json!({ "using": "css selector", "value": selector })))
    }

    /// Presses one key, given as the protocol names it.
    pub fn press(&self, key: &str) {
        let keys = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.ask("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": keys }] }));
    }

    /// What the browser complained of since the last time: errors of scripts, refused and failed requests.
    pub fn complaints(&self) -> Vec<String> {
        let lines = self.ask("/se/log", &json!({ "type": "browser" }));
        let bad = lines.as_array().unwrap().iter().filter(|line| line["level"] == "SEVERE");
        bad.map(|line| line["message"].as_str().unwrap_or_default().to_string()).collect()
    }

    /// A command of Chromium's own protocol.
    pub fn chromium(&self, command: &str, params: &Value) {
        self.ask("/goog/cdp/execute", &json!({ "cmd": command, "params": params }));
    }

    /// As a phone shows it, or the screen of a computer again. Nothing may be wider than the phone.
    pub fn on_a_phone(&self, is_so: bool) {
        if !is_so {
            return self.chromium("Emulation.clearDeviceMetricsOverride", &json!({}));
        }
        let size = json!({ "width": 390, "height": 860, "deviceScaleFactor": 2, "mobile": true });
        self.chromium("Emulation.setDeviceMetricsOverride", &size);
        let overflows = self.run("return document.documentElement.scrollWidth > innerWidth", &[]);
        assert_eq!(overflows, json!(false), "the page is wider than the phone");
    }

    /// In dark, or in light colours.
    pub fn in_the_dark(&self, is_so: bool) {
        let scheme = if is_so { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.chromium("Emulation.setEmulatedMedia", &media);
    }

    /// Three pictures of what a selector finds: light, dark, on a phone.
    pub fn shots(&self, name: &str, selector: &str) {
        let see = || self.run("document.querySelector(arguments[0]).scrollIntoView()", &[json!(selector)]);
        see();
        self.shot(name);
        self.in_the_dark(true);
        self.shot(&format!("{name}-dark"));
        self.in_the_dark(false);
        self.on_a_phone(true);
        see();
        self.shot(&format!("{name}-phone"));
        self.on_a_phone(false);
    }

    /// The page as a PNG file in `$PANEL_SHOTS`, for whoever wants to look at it.
    pub fn shot(&self, name: &str) {
        let Some(folder) = std::env::var_os("PANEL_SHOTS") else { return };
        let picture = self.get("/screenshot");
        let file = std::path::Path::new(&folder).join(format!("{name}.png"));
        fs::write(file, BASE64.decode(picture.as_str().unwrap().as_bytes()).unwrap()).unwrap();
    }

    /// Opens another tab, and gives the handles of the old and the new one.
    pub fn new_tab(&self) -> (Value, Value) {
        let old = self.get("/window");
        let new = self.ask("/window/new", &json!({ "type": "tab" }))["handle"].clone();
        self.switch(&new);
        (old, new)
    }

    pub fn switch(&self, tab: &Value) {
        self.ask("/window", &json!({ "handle": tab }));
    }

    fn ask(&self, command: &str, body: &Value) -> Value {
        let answer = self.agent.post(format!("{}{command}", self.session)).send_json(body);
        value(command, answer.unwrap())
    }

    fn get(&self, command: &str) -> Value {
        value(command, self.agent.get(format!("{}{command}", self.session)).call().unwrap())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A browser that hangs ends with its driver.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn value(command: &str, mut answer: ureq::http::Response<ureq::Body>) -> Value {
    let status = answer.status();
    let told: Value = answer.body_mut().with_config().limit(64 << 20).read_json().unwrap();
    assert!(status.is_success(), "{command}: {}", told["value"]["message"]);
    told["value"].clone()
}

fn element(found: &Value) -> String {
    found[ELEMENT].as_str().unwrap_or_else(|| panic!("no element: {found}")).to_string()
}

/// The driver says where it listens.
fn port_of(driver: &mut Child) -> u16 {
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if let Some(port) = line.strip_prefix("ChromeDriver was started successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("chromedriver did not start");
}
