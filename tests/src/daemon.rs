//! A daemon of one's own.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::network::Place;
use crate::program::peerdrive;

/// How long a start or an orderly end may take, on a machine that builds something else meanwhile.
const DEADLINE: Duration = Duration::from_secs(60);
/// Lines of the daemon's log that a failure shows.
const LOG_LINES_SHOWN: usize = 30;

/// How a daemon is started.
#[derive(Debug, Clone)]
pub struct Start {
    /// What the program's name stands behind: how it gets to its place on a network.
    prefix: Vec<OsString>,
    program: PathBuf,
    args: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl Default for Start {
    fn default() -> Self {
        let args = ["--panel", "127.0.0.1:0", "--no-discovery"].map(OsString::from).to_vec();
        Self { prefix: Vec::new(), program: peerdrive(), args, environment: Vec::new() }
    }
}

impl Start {
    /// Adds an argument to `up`.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Lets panel and API listen on this port of 127.0.0.1, the same at every start.
    #[must_use]
    pub fn panel_port(mut self, port: u16) -> Self {
        let at = self.args.iter().position(|arg| arg == "--panel").expect("it is always given");
        self.args[at + 1] = format!("127.0.0.1:{port}").into();
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Uses another program than the one under test.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Runs it at this place of a network, where it looks for others.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.prefix = place.prefix();
        self.args.retain(|arg| arg != "--no-discovery");
        self
    }

    fn command(&self) -> Command {
        let Some((first, rest)) = self.prefix.split_first() else { return Command::new(&self.program) };
        let mut command = Command::new(first);
        command.args(rest).arg(&self.program);
        command
    }

    /// Starts it in fresh folders and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; the text shows its log.
    #[must_use]
    pub fn start(self) -> Daemon {
        let mut daemon = Daemon::prepare(self);
        daemon.start_again();
        daemon
    }
}

/// A running (or stopped) daemon with its own data folder and mountpoint.
#[derive(Debug)]
pub struct Daemon {
    start: Start,
    /// Holds `data`, `mount` and `log`; deleted last.
    folder: TempDir,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Lines of its standard output.
    lines: Receiver<String>,
}

impl Daemon {
    /// Starts one with the usual settings.
    ///
    /// # Panics
    /// When it does not become ready; the text shows its log.
    #[must_use]
    pub fn start() -> Self {
        Start::default().start()
    }

    /// Fresh folders, nothing started: for tests of the start itself.
    ///
    /// # Panics
    /// When the folders cannot be made.
    #[must_use]
    pub fn prepare(start: Start) -> Self {
        let folder =
            tempfile::Builder::new().prefix("peerdrive-test-").tempdir().expect("a temporary folder");
        // Tests that act as other users must reach the mount through it.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder.path(), open).expect("the folder is ours");
        let daemon = Self { start, folder, process: None };
        fs::create_dir(daemon.mount()).expect("a mountpoint");
        daemon
    }

    /// The drive.
    #[must_use]
    pub fn mount(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Adds a line to its `config.toml`, which holds from the next start on.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn add_setting(&self, line: &str) {
        let config = self.data().join("config.toml");
        let settings = fs::read_to_string(&config).expect("a first start writes its settings");
        fs::write(&config, format!("{settings}{line}\n")).expect("the folder is ours");
    }

    /// A folder beside them, for what the test itself needs.
    #[must_use]
    pub fn beside(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the daemon runs").child.id()
    }

    /// Starts it again on the same folders, and gives what it printed before `ready`.
    ///
    /// # Panics
    /// When it runs already or does not become ready; the text shows its log.
    pub fn start_again(&mut self) -> Vec<String> {
        match self.try_start_again() {
            Ok(printed) => printed,
            Err(ended) => panic!("ended with {ended} before it was ready\n{}", self.log_tail()),
        }
    }

    /// Like [`Daemon::start_again`], where it may refuse: then how it ended. The log says why.
    ///
    /// # Panics
    /// When it runs already, or neither becomes ready nor ends.
    pub fn try_start_again(&mut self) -> Result<Vec<String>, ExitStatus> {
        assert!(self.process.is_none(), "the daemon runs already");
        let spawned = self.spawn();
        let process = self.process.insert(spawned);
        let deadline = Instant::now() + DEADLINE;
        let mut printed = Vec::new();
        loop {
            match process.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line == "ready" => return Ok(printed),
                Ok(line) => printed.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("not ready in {DEADLINE:?}\n{}", self.log_tail()),
                Err(RecvTimeoutError::Disconnected) => {
                    let ended = process.child.wait().expect("our own child");
                    self.process = None;
                    return Err(ended);
                }
            }
        }
    }

    /// Ends it in an orderly way (SIGTERM) and gives its exit status.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_for_exit()
    }

    /// Like [`Daemon::stop`], where it may have ended by itself meanwhile: then `None`, or how it ended.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn stop_if_running(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut()?;
        match process.child.try_wait() {
            Ok(None) => Some(self.stop()),
            ended => {
                self.process = None;
                ended.ok().flatten()
            }
        }
    }

    /// Ends it at once (SIGKILL), as a crash would; the dead mount stays.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait_for_exit();
    }

    /// Stops it in an orderly way and starts it again.
    ///
    /// # Panics
    /// When the stop is not orderly or the start fails.
    pub fn restart(&mut self) {
        let status = self.stop();
        assert!(status.success(), "stopped with {status}\n{}", self.log_tail());
        self.start_again();
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("our own child can be signalled");
    }

    /// Waits until it has ended by itself (after a signal, or `peerdrive down`).
    ///
    /// # Panics
    /// When it does not in time; the text shows its log.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the daemon runs");
        // Its output ends when it does: no polling, and a deadline.
        let deadline = Instant::now() + DEADLINE;
        loop {
            match process.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return process.child.wait().expect("our own child"),
                Err(RecvTimeoutError::Timeout) => {
                    let log = self.log_tail();
                    process.end_now();
                    panic!("did not end in {DEADLINE:?}\n{log}");
                }
            }
        }
    }

    /// A command to it: `peerdrive ARGS --data DIR`.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        let begun = self.begin_command(args);
        begun.wait_with_output().expect("our own child")
    }

    /// The same, while it runs.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn begin_command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Child {
        let mut command = self.start.command();
        command.args(args).arg("--data").arg(self.data()).env_remove("PEERDRIVE_DATA").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program under test starts")
    }

    /// The answer of a command with `--json`.
    ///
    /// # Panics
    /// When it fails or answers something else than JSON.
    #[must_use]
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let output = self.command(args.iter().chain(&["--json"]));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {}: {error}", output.status);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: no JSON: {error}"))
    }

    /// What it wrote to its standard error since the first start.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.log_file())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last lines of it.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn spawn(&self) -> Process {
        let log = File::options().append(true).create(true).open(self.log_file()).expect("a log file");
        let mut command = self.start.command();
        command.arg("up").arg(self.mount()).arg("--data").arg(self.data()).args(&self.start.args);
        command
            .env_remove("PEERDRIVE_DATA")
            .envs(self.start.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the program under test starts");
        let output = child.stdout.take().expect("it was piped");
        let (sender, lines) = channel();
        let read = move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens any more: read on all the same, or the daemon would meet a closed pipe.
                let _ = sender.send(line);
            }
        };
        std::thread::spawn(read);
        Process { child, lines }
    }
}

impl Process {
    fn end_now(&mut self) {
        // It may have ended meanwhile.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.process.is_some() {
            if std::thread::panicking() {
                let _ = self.process.as_mut().map(Process::end_now);
                self.process = None;
            } else {
                self.stop();
            }
        }
        unmount(&self.mount());
    }
}

/// Takes away what is still mounted, dead or alive, so that the folder can be deleted.
pub(crate) fn unmount(mount: &Path) {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let is_mounted = |line: &str| line.split(' ').nth(4).is_some_and(|path| Path::new(path) == mount);
    for _ in table.lines().filter(|line| is_mounted(line)) {
        let mut command = if crate::is_root() {
            let mut command = Command::new("umount");
            command.arg("-l");
            command
        } else {
            let mut command = Command::new("fusermount3");
            command.arg("-uz");
            command
        };
        // A failure shows itself when the folder is deleted.
        let _ = command.arg(mount).stderr(Stdio::null()).status();
    }
}
