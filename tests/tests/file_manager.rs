//! A real file manager on an invisible screen: a folder is copied onto the drive, put into the trash and restored.
//!
//! `PEERDRIVE_SCREENSHOTS=DIR` keeps a picture after each step, for people who change this test.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tests::tree::Tree;
use tests::{Daemon, eventually, is_root, noise, program, run};

/// Keys may come before the window has read its folder; then they are pressed again.
const ATTEMPTS: usize = 6;
/// How long a step may take to show in the files before its keys are pressed again.
const PATIENCE: Duration = Duration::from_secs(12);
/// Asks nothing, and uses the trash.
const SETTINGS: &str = "[config]\nuse_trash=1\nconfirm_del=0\nconfirm_trash=0\nno_usb_trash=0\n";

#[test]
fn a_folder_is_copied_trashed_and_restored() {
    let daemon = Daemon::start();
    let original = make_album(&daemon.beside().join("source/album"));
    let desk = Desk::new(daemon.beside());
    let (source, drive) = (daemon.beside().join("source"), daemon.mount());
    let album = drive.join("album");

    desk.open(&source.display().to_string(), "source");
    desk.open(&drive.display().to_string(), "mount");
    let copied = || album.exists();
    desk.until("copied", &copied, &|| {
        desk.press("source", &["ctrl+a", "ctrl+c"]);
        desk.press("mount", &["ctrl+v"]);
    });
    eventually("the copy is complete", || same_files(&Tree::of(&album), &original));
    let copy = Tree::of(&album);

    let user = if is_root() { "0".to_string() } else { run(program("id").arg("-u")).trim().to_string() };
    let trash = drive.join(format!(".Trash-{user}"));
    desk.until("trashed", &|| !album.exists(), &|| desk.press("mount", &["F5", "ctrl+a", "Delete"]));
    Tree::of(&trash.join("files/album")).assert_same(&copy, "in the trash");
    assert!(trash.join("info/album.trashinfo").is_file());

    desk.open("trash:///", "trash:///");
    // The menu of what is selected, and in it what begins with an underlined R.
    desk.until("restored", &copied, &|| desk.press("trash:///", &["Escape", "ctrl+a", "shift+F10", "r"]));
    eventually("the trash is empty", || fs::read_dir(trash.join("info")).unwrap().count() == 0);
    Tree::of(&album).assert_same(&copy, "restored");
}

fn make_album(album: &Path) -> Tree {
    fs::create_dir_all(album.join("inner folder")).unwrap();
    for number in 0..20 {
        fs::write(album.join(format!("picture {number}.jpg")), noise(number, 150_000)).unwrap();
    }
    fs::write(album.join("inner folder/n\u{f6}te.txt"), "a note").unwrap();
    Tree::of(album)
}

/// Names and contents; a file manager does not promise to keep the rest.
fn same_files(copy: &Tree, original: &Tree) -> bool {
    let digests =
        |tree: &Tree| tree.iter().map(|(path, node)| (path.to_owned(), node.digest)).collect::<Vec<_>>();
    digests(copy) == digests(original)
}

/// A screen, a message bus, and a file manager with settings of its own.
struct Desk {
    /// The first stays until the end, the others hand their window over to it.
    managers: RefCell<Vec<Child>>,
    home: PathBuf,
    screen: Service,
    bus: Service,
}

impl Desk {
    fn new(folder: &Path) -> Self {
        let home = folder.join("home");
        fs::create_dir_all(home.join(".config/libfm")).unwrap();
        fs::write(home.join(".config/libfm/libfm.conf"), SETTINGS).unwrap();
        fs::create_dir(home.join("run")).unwrap();
        fs::set_permissions(home.join("run"), fs::Permissions::from_mode(0o700)).unwrap();
        let mut screen = program("Xvfb");
        screen.args(["-displayfd", "1", "-screen", "0", "1000x700x24", "-nolisten", "tcp"]);
        let screen = Service::start(&mut screen);
        let mut bus = program("dbus-daemon");
        bus.args(["--session", "--nofork", "--print-address"]);
        let bus = Service::start(Self::dress(&mut bus, &home, &screen.told));
        Self { managers: RefCell::default(), home, screen, bus }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = program(name);
        Self::dress(&mut command, &self.home, &self.screen.told);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus.told);
        command
    }

    fn dress<'a>(command: &'a mut Command, home: &Path, screen: &str) -> &'a mut Command {
        command.env("DISPLAY", format!(":{screen}")).env("HOME", home).env("LC_ALL", "C.UTF-8");
        command.env("XDG_CONFIG_HOME", home.join(".config")).env("XDG_DATA_HOME", home.join("share"));
        command.env("XDG_CACHE_HOME", home.join("cache")).env("XDG_RUNTIME_DIR", home.join("run"));
        command.env_remove("WAYLAND_DISPLAY").env_remove("DBUS_SESSION_BUS_ADDRESS")
    }

    /// Opens a window on a place, and waits until it bears that title. A file manager that shows none is started again.
    fn open(&self, place: &str, title: &str) {
        for _ in 0..ATTEMPTS {
            let mut manager = self.program("pcmanfm");
            manager.args(["--new-win", place]).stdout(Stdio::null()).stderr(Stdio::null());
            let mut manager = manager.spawn().unwrap();
            if within_patience(&|| self.window(title).is_some()) {
                return self.managers.borrow_mut().push(manager);
            }
            end(&mut manager);
        }
        self.picture("no window");
        panic!("no window shows {place}");
    }

    fn window(&self, title: &str) -> Option<String> {
        let mut search = self.program("xdotool");
        let found =
            search.args(["search", "--onlyvisible", "--name", &format!("^{title}$")]).output().unwrap();
        String::from_utf8_lossy(&found.stdout).lines().next().map(str::to_owned)
    }

    fn press(&self, title: &str, keys: &[&str]) {
        let window = self.window(title).expect("the window is open");
        let mut press = self.program("xdotool");
        run(press.args(["windowfocus", "--sync", &window, "key", "--delay", "150"]).args(keys));
    }

    /// Presses until the files show that it worked.
    fn until(&self, what: &str, done: &dyn Fn() -> bool, press: &dyn Fn()) {
        for _ in 0..ATTEMPTS {
            press();
            if within_patience(done) {
                return self.picture(what);
            }
        }
        self.picture(&format!("not {what}"));
        panic!("not {what}; PEERDRIVE_SCREENSHOTS=DIR keeps a picture");
    }

    fn picture(&self, what: &str) {
        if let Some(folder) = std::env::var_os("PEERDRIVE_SCREENSHOTS") {
            let picture = Path::new(&folder).join(format!("{what}.png"));
            run(self.program("scrot").arg("--overwrite").arg(picture));
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.managers.get_mut().iter_mut().for_each(end);
    }
}

/// A program in the background that tells on its first line how it is reached.
struct Service {
    child: Child,
    told: String,
}

impl Service {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut told = String::new();
        BufReader::new(child.stdout.take().expect("it was piped")).read_line(&mut told).unwrap();
        Self { child, told: told.trim().to_string() }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn within_patience(done: &dyn Fn() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}
