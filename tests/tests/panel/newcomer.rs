//! What a new user does in the browser, from two computers that have nothing to one drive with a file on both. Clicks are counted.

use std::fs;

use serde_json::json;
use tests::{Start, noise, report};

use super::Open;

/// More clicks on both computers together are more than the way is worth.
const CLICKS_MAX: u32 = 12;

#[test]
fn a_newcomer_gets_from_nothing_to_a_drive_on_two_computers() {
    // `peerdrive up ~/PeerDrive` on each, and its link opened: that is `Open`.
    let first = Open::with(Start::default().arg("--name").arg("attic"));
    let second = Open::with(Start::default().arg("--name").arg("laptop"));
    let (on_first, on_second) = (&first.browser, &second.browser);

    on_first.wait_for(".start", "Welcome to your drive");
    let letter = first.daemon.beside().join("letter.txt");
    fs::write(&letter, "dear all").unwrap();
    // The button opens the system's own dialog, in which a person clicks twice more.
    on_first.choose_file("#picker", &letter);
    let chosen = 3;
    on_first.wait_for(".rows .entry-name", "letter.txt");
    on_first.wait_for(".badge.only_here", "Only here");
    on_first.wait_for(".badge.only_here .copies", "1/2");
    on_first.shot("newcomer-1-uploaded");
    on_first.click("nav .links a", "Devices");
    on_first.click("button", "Pair a computer");
    on_first.click("dialog button", "Create");
    on_first.wait_for("dialog .code", "-");
    on_first.shot("newcomer-2-code");
    let code = on_first.run("return document.querySelector('dialog .code').textContent", &[]);

    on_second.shot("newcomer-3-second");
    on_second.click(".start button", "Join the drive of the first");
    on_second.fill("#join-code", code.as_str().unwrap());
    // On a network where computers find each other nobody types this.
    on_second.fill("#join-peer", &first.peers);
    on_second.click("dialog button", "Join");
    on_second.wait_for(".rows .entry-name", "letter.txt");
    on_second.wait_for(".badge.safe", "Safe");
    on_second.wait_for(".badge.safe .copies", "2/2");
    on_second.shot("newcomer-4-joined");
    assert_eq!(fs::read(second.daemon.mount().join("letter.txt")).unwrap(), b"dear all");

    on_first.wait_for("dialog .notice", "laptop has joined");
    on_first.shot("newcomer-5-done");
    on_first.click("dialog button", "Done");
    on_first.wait_for(".verdict-line", "Everything is safe, on 2 computers");
    second.page("Storage");
    on_second.wait_for("#give", "");
    second.slide(400);
    on_second.click("main form button", "Save");
    on_second.wait_for(".toast", "Saved.");

    // And the other way round.
    fs::write(second.daemon.mount().join("answer.bin"), noise(1, 2 << 20)).unwrap();
    on_first.click("nav .links a", "Drive");
    on_first.wait_for(".rows .entry-name", "answer.bin");
    on_first.wait_for(".verdict-line", "Everything is safe, on 2 computers");
    on_first.wait("that both are shown as safe", || {
        on_first.run("return document.querySelectorAll('.rows .badge.safe').length", &[]) == json!(2)
    });
    on_first.wait("the list of uploads that are done to go by itself", || {
        on_first.run("return document.querySelector('.tray').hidden", &[]) == json!(true)
    });
    on_first.shot("newcomer-6-both");
    assert_eq!(fs::read(first.daemon.mount().join("answer.bin")).unwrap(), noise(1, 2 << 20));

    let ((clicks, _), (others, fields)) = (on_first.hands(), on_second.hands());
    let all = clicks + others + chosen;
    report(format!(
        "{all} clicks ({} on the first computer, {others} on the second) and {fields} fields",
        clicks + chosen
    ));
    assert!(all <= CLICKS_MAX, "{all} clicks");
    for browser in [on_first, on_second] {
        // While the joined drive opens in the place of the empty one, nobody answers for a moment.
        let bad: Vec<String> =
            browser.complaints().into_iter().filter(|line| !line.contains("ERR_")).collect();
        assert_eq!(bad, Vec::<String>::new());
    }
}

#[test]
fn a_computer_leaves_by_the_page_and_the_others_have_everything() {
    let first = Open::with(Start::default().arg("--name").arg("attic"));
    let mut second = Open::with(Start::default().arg("--name").arg("laptop"));
    let code = first.daemon.json(&["invite"])["code"].clone();
    let joined = second.daemon.command(["join", code.as_str().unwrap(), "--peer", &first.peers]);
    assert!(joined.status.success(), "{}", tests::told(&joined));
    second.browser.wait_for(".verdict-line", "drive is empty");
    fs::write(second.daemon.mount().join("kept.bin"), noise(2, 1 << 20)).unwrap();
    first.browser.wait_for(".rows .entry-name", "kept.bin");
    first.browser.wait_for(".badge.safe", "Safe");
    second.page("Devices");
    second.browser.click("button[aria-label='Actions for laptop']", "");
    second.browser.click(".menu button", "Leave the drive");
    second.browser.wait_for("dialog", "The other computers take over what is here");
    second.browser.click("dialog .dialog-actions button", "Leave the drive");
    second.browser.wait_for("dialog .wrong", "only 1 other computer of the drive keeps copies");
    second.browser.shot("leave");
    second.browser.click("dialog .dialog-actions button", "Leave at once");
    assert!(second.daemon.wait_for_exit().success());
    second.browser.wait_for("dialog", "has left the drive");
    assert_eq!(fs::read(first.daemon.mount().join("kept.bin")).unwrap(), noise(2, 1 << 20));
    assert_eq!(first.daemon.json(&["devices"]).as_array().unwrap().len(), 1);
}
