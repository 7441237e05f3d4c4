//! PostgreSQL on the drive, while it, or the daemon under it, is killed at any moment: every transaction that a client was
//! told of is there, and the database is sound.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tests::{Daemon, eventually, noise, output, program, run, told};

use crate::{folder, names, shared_drive};

/// Kills of the daemon, of the server alone, and of both in turns.
const ROUNDS: u64 = 9;
/// Clients that change the same accounts.
const CLIENTS: &str = "4";
/// A round works so long before the kill, in milliseconds.
const WORK_MS: std::ops::Range<u64> = 500..4_000;

#[test]
#[ignore = "PostgreSQL is large: PEERDRIVE_LONG=1 cargo xtask test"]
fn acknowledged_transactions_survive_kills_of_the_daemon_and_the_server() {
    let mut daemon = shared_drive();
    let mut postgres = Postgres::make(&daemon);
    let mut server = postgres.start();
    run(postgres.client("pgbench").args(["--initialize", "--scale", "2", "--quiet"]));
    let mut kept = 0;
    for round in 0..ROUNDS {
        let bench = postgres.work(round);
        // Not to wait for something: the moment of the crash is what is drawn.
        std::thread::sleep(Duration::from_millis(moment_of(round)));
        match round % 3 {
            0 => {
                daemon.kill();
                kill_server(&mut server);
                daemon.start_again();
            }
            1 => kill_server(&mut server),
            _ => {
                kill_server(&mut server);
                daemon.kill();
                daemon.start_again();
            }
        }
        let acknowledged = postgres.acknowledged(bench, round);
        assert!(acknowledged > 0, "round {round} killed before anything was done");
        server = postgres.start();
        kept = postgres.check(round, kept, acknowledged);
    }
    postgres.stop(&mut server);
    run(postgres.program("pg_checksums").arg("--check").arg("-D").arg(&postgres.data));
    daemon.restart();
    server = postgres.start();
    assert_eq!(postgres.check(ROUNDS, kept, 0), kept, "after an orderly restart");
    postgres.stop(&mut server);
}

fn moment_of(round: u64) -> u64 {
    let drawn = u64::from_le_bytes(noise(round + 1, 8).try_into().expect("eight bytes"));
    WORK_MS.start + drawn % (WORK_MS.end - WORK_MS.start)
}

/// A cluster in a folder of its own on the drive; it refuses to be root's.
struct Postgres {
    programs: PathBuf,
    user: (u32, u32),
    data: PathBuf,
    /// Beside the drive: the socket, and what clients write down.
    desk: PathBuf,
}

impl Postgres {
    fn make(daemon: &Daemon) -> Self {
        let id = |what: &str| run(program("id").args([what, "postgres"])).trim().parse().unwrap();
        let user = (id("-u"), id("-g"));
        let desk = folder(daemon.beside(), "postgres");
        let home = folder(&daemon.mount(), "postgres");
        for folder in [&desk, &home] {
            chown(folder, Some(user.0), Some(user.1)).unwrap();
        }
        let postgres = Self { programs: programs(), user, data: home.join("data"), desk };
        let mut init = postgres.program("initdb");
        run(init.args(["--data-checksums", "--auth=trust", "--username=postgres", "-D"]).arg(&postgres.data));
        postgres
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command
            .uid(self.user.0)
            .gid(self.user.1)
            .current_dir(&self.desk)
            .stdin(Stdio::null())
            .env("LC_ALL", "C");
        command
    }

    fn client(&self, name: &str) -> Command {
        let mut client = self.program(name);
        client.arg("--host").arg(&self.desk).args(["--username", "postgres"]);
        client
    }

    /// The server, when it answers: after a crash it has recovered by then.
    fn start(&mut self) -> Child {
        let log = fs::File::options().append(true).create(true).open(self.desk.join("log")).unwrap();
        let mut server = self.program("postgres");
        server.arg("-D").arg(&self.data).arg("-k").arg(&self.desk).args(["-c", "listen_addresses="]);
        let mut server = server.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        eventually("the server answers", || {
            let ended = server.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended\n{}", self.log());
            output(self.client("pg_isready")).status.success()
        });
        server
    }

    fn stop(&self, server: &mut Child) {
        signal(server.id(), Signal::INT);
        assert!(server.wait().unwrap().success(), "{}", self.log());
    }

    /// Transactions until somebody ends it; each is written down when it was acknowledged.
    fn work(&self, round: u64) -> Child {
        let mut bench = self.client("pgbench");
        bench.args(["--no-vacuum", "--client", CLIENTS, "--time", "600", "--log"]);
        bench.arg(format!("--log-prefix=round-{round}")).arg(format!("--random-seed={}", round + 1));
        bench.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Waits for the end of the work, and tells how many transactions were acknowledged in it.
    fn acknowledged(&self, mut bench: Child, round: u64) -> u64 {
        // Without a server each client gives up by itself; what it wrote down is then complete.
        bench.wait().unwrap();
        let prefix = format!("round-{round}.");
        let logs = names(&self.desk).into_iter().filter(|name| name.starts_with(&prefix));
        logs.map(|log| fs::read_to_string(self.desk.join(log)).unwrap().lines().count() as u64).sum()
    }

    /// Tells how many transactions are there.
    fn check(&self, round: u64, before: u64, acknowledged: u64) -> u64 {
        let kept: u64 = self.ask("select count(*) from pgbench_history").parse().unwrap();
        let told_of = before + acknowledged;
        assert!(kept >= told_of, "round {round}: {told_of} transactions were acknowledged, {kept} are there");
        let sums = "select count(distinct sum) from (select sum(abalance) from pgbench_accounts \
                    union all select sum(tbalance) from pgbench_tellers \
                    union all select sum(bbalance) from pgbench_branches \
                    union all select coalesce(sum(delta), 0) from pgbench_history) sums";
        assert_eq!(self.ask(sums), "1", "round {round}: half a transaction");
        let mut check = self.client("pg_amcheck");
        let checked =
            output(check.args(["--install-missing", "--heapallindexed", "--parent-check", "postgres"]));
        assert!(checked.status.success(), "round {round}: {}\n{}", told(&checked), self.log());
        kept
    }

    fn ask(&self, statement: &str) -> String {
        run(self.client("psql").args(["-X", "-q", "-A", "-t", "-c", statement])).trim().to_owned()
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.desk.join("log")).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// Debian keeps the programs of each version apart.
fn programs() -> PathBuf {
    let versions = Path::new("/usr/lib/postgresql");
    assert!(versions.is_dir(), "PostgreSQL is missing: run `cargo xtask tools --long`");
    let newest = names(versions).into_iter().max_by_key(|version| version.parse::<u32>().unwrap_or(0));
    versions.join(newest.expect("a version of PostgreSQL")).join("bin")
}

/// The server and all its processes, at once.
fn kill_server(server: &mut Child) {
    let mut all = vec![server.id()];
    let children = format!("/proc/{0}/task/{0}/children", server.id());
    let children = fs::read_to_string(children).unwrap();
    all.extend(children.split_whitespace().map(|child| child.parse::<u32>().unwrap()));
    for process in &all {
        signal(*process, Signal::KILL);
    }
    server.wait().unwrap();
    // They are not our children: nobody tells when they are gone.
    eventually("the server's processes are gone", || {
        // One that has ended and that nobody asked about has no program any more.
        all.iter().all(|process| fs::read_link(format!("/proc/{process}/exe")).is_err())
    });
}

fn signal(process: u32, signal: Signal) {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id");
    // A child of the server may have ended meanwhile.
    let _ = kill_process(process, signal);
}
