//! dbench plays what many clients of a file server did, as it was recorded.

use tests::{is_long, program, run};

use crate::{folder, shared_drive};

/// The record that comes with it.
const RECORD: &str = "/usr/share/dbench/client.txt";

#[test]
fn clients_of_a_file_server_find_what_they_left() {
    let daemon = shared_drive();
    let place = folder(&daemon.mount(), "dbench");
    let (seconds, clients) = if is_long() { ("60", "8") } else { ("4", "2") };
    let mut dbench = program("dbench");
    dbench.args(["-t", seconds, "-c", RECORD, "-D"]).arg(&place).arg(clients);
    let told = run(dbench);
    assert!(told.contains("Throughput"), "it did not come to its end\n{told}");
    // The system may have no semaphore for it, when much runs beside; then its clients start one after the other.
    let complaint =
        |line: &&str| line.contains("ERROR") || (line.contains("failed") && !line.contains("semaphore"));
    assert_eq!(told.lines().find(complaint), None, "{told}\n{}", daemon.log_tail());
    let files = run(program("find").arg(&place).args(["-type", "f"]));
    assert_eq!(files, "", "it takes away every file that it made");
}
