//! A database on the drive, worked on by the real SQLite.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic, in the functions it is made of too")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::{Daemon, eventually, program, run};

/// Both ways SQLite keeps its transactions whole.
const ROLLBACK: &str = "delete";
const WRITE_AHEAD: &str = "wal";

/// Processes that write at the same time, and what each writes.
const WRITERS: usize = 4;
const TRANSACTIONS: usize = 60;

/// Crashes of each journal mode, and how many acknowledged transactions come before each.
const CRASHES: usize = 3;
const BEFORE_CRASH: usize = 40;

#[test]
fn processes_share_a_database_with_a_rollback_journal() {
    processes_share_a_database(ROLLBACK);
}

#[test]
fn processes_share_a_database_with_a_write_ahead_log() {
    processes_share_a_database(WRITE_AHEAD);
}

#[test]
fn acknowledged_transactions_survive_a_crash_with_a_rollback_journal() {
    acknowledged_transactions_survive_a_crash(ROLLBACK);
}

#[test]
fn acknowledged_transactions_survive_a_crash_with_a_write_ahead_log() {
    acknowledged_transactions_survive_a_crash(WRITE_AHEAD);
}

fn processes_share_a_database(journal: &str) {
    let mut daemon = Daemon::start();
    let database = daemon.mount().join("data.db");
    make(&database, journal);
    let writers: Vec<Child> = (0..WRITERS).map(|writer| write_many(&database, writer)).collect();
    for mut writer in writers {
        let status = writer.wait().expect("our own child");
        assert!(status.success(), "a writer ended with {status}\n{}", daemon.log_tail());
    }
    let rows = WRITERS * TRANSACTIONS;
    assert_eq!(ask(&database, "select count(*) from log"), rows.to_string());
    assert_eq!(ask(&database, "select value from counter"), rows.to_string(), "an update was lost");
    daemon.restart();
    assert_eq!(ask(&database, "select count(*) from log"), rows.to_string());
    assert_sound(&database);
    // Rewrites the whole file in place.
    ask(&database, "vacuum");
    assert_sound(&database);
    assert_eq!(ask(&database, "select count(*) from log"), rows.to_string());
}

fn acknowledged_transactions_survive_a_crash(journal: &str) {
    let mut daemon = Daemon::start();
    let database = daemon.mount().join("data.db");
    make(&database, journal);
    let mut acknowledged = 0;
    for _ in 0..CRASHES {
        acknowledged = crash_while_writing(&mut daemon, &database, acknowledged);
        daemon.start_again();
        assert_sound(&database);
        let kept: usize = ask(&database, "select count(*) from log").parse().expect("a number");
        assert!(kept >= acknowledged, "{acknowledged} transactions were acknowledged, {kept} are there");
        assert_eq!(ask(&database, "select value from counter"), kept.to_string(), "half a transaction");
        acknowledged = kept;
    }
}

fn make(database: &Path, journal: &str) {
    let schema = format!(
        "pragma journal_mode={journal}; create table counter(value integer); insert into counter values(0); \
         create table log(writer integer, number integer, text text);"
    );
    assert_eq!(ask(database, &schema), journal);
}

/// A process that adds to the log and the counter, each time in one transaction.
fn write_many(database: &Path, writer: usize) -> Child {
    let mut shell = shell(database);
    for number in 0..TRANSACTIONS {
        shell.arg(transaction(writer, number));
    }
    shell.spawn().expect("sqlite3 starts")
}

/// Commits one transaction after the other, kills the daemon in the middle, and gives how many were acknowledged.
fn crash_while_writing(daemon: &mut Daemon, database: &Path, before: usize) -> usize {
    let mut shell = shell(database);
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut statements = shell.stdin.take().expect("it was piped");
    let feed = std::thread::spawn(move || {
        for number in 0.. {
            let text = format!("{}\nselect 'done';\n", transaction(0, number));
            if statements.write_all(text.as_bytes()).is_err() {
                break;
            }
        }
    });
    let answers = BufReader::new(shell.stdout.take().expect("it was piped")).lines();
    let acknowledged = AtomicUsize::new(0);
    let acknowledged = std::thread::scope(|scope| {
        scope.spawn(|| {
            for line in answers.map_while(Result::ok) {
                assert_eq!(line, "done");
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        });
        eventually("transactions are committed", || acknowledged.load(Ordering::SeqCst) >= BEFORE_CRASH);
        // Only what was answered before the crash counts: with the drive gone, SQLite passes over a folder that it cannot
        // open for syncing, and says that all went well.
        let acknowledged = acknowledged.load(Ordering::SeqCst);
        daemon.kill();
        acknowledged
    });
    shell.wait().expect("our own child");
    feed.join().unwrap();
    before + acknowledged
}

fn transaction(writer: usize, number: usize) -> String {
    let text = format!("{writer}:{number};").repeat(40);
    format!(
        "begin immediate; insert into log values({writer}, {number}, '{text}'); \
         update counter set value = value + 1; commit;"
    )
}

fn assert_sound(database: &Path) {
    assert_eq!(ask(database, "pragma integrity_check"), "ok");
}

fn ask(database: &Path, statement: &str) -> String {
    run(shell(database).arg(statement)).trim().to_string()
}

/// SQLite's shell: patient, ends at an error, and as careful as SQLite can be. Less than `extra` does not sync the
/// deletion of a rollback journal, which is what commits: on no file system does such a commit outlive a power cut.
fn shell(database: &Path) -> Command {
    let mut shell = program("sqlite3");
    shell
        .args(["-batch", "-bail", "-cmd", ".timeout 60000", "-cmd", "pragma synchronous=extra;"])
        .arg(database);
    shell
}
