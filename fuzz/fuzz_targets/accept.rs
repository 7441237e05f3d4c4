//! Two members' devices write whatever they like, properly sealed and signed. Nobody's ledger breaks, and two ledgers
//! that hear of it in different order come to the same tree, which is also the one read back from what was stored.
//! Parts of the input: edits of the first device, an empty part, edits of the second.
#![no_main]

use std::sync::LazyLock;

use fuzz::cast::{Cast, at};
use fuzz::{join_parts, parts, seeds, wrap};
use ledger::Ledger;
use libfuzzer_sys::fuzz_target;

static CAST: LazyLock<Cast> = LazyLock::new(Cast::new);
/// Of the cast's own log only the founder's part is told: the other devices' is what is fuzzed.
static FOUNDER: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| CAST.founder_log().cloned().collect());
/// More would only be slower.
const PARTS_MAX: usize = 32;
/// Later than everything the cast did.
const NOW: i64 = 3_600_000;

fuzz_target!(
    init: {
        let edits = seeds::edits(&CAST);
        let log = |number: usize| edits[number].iter().map(Vec::as_slice);
        let both = join_parts(log(1).chain([&b""[..]]).chain(log(2)));
        seeds::plant([both, join_parts(log(1)), join_parts([&b""[..]].into_iter().chain(log(2)))]);
    },
    |data: &[u8]| {
        let mut parts = parts(data);
        parts.truncate(PARTS_MAX);
        let mut logs = parts.splitn(2, |part| part.is_empty());
        let mut log_of = |number| wrap::log(&CAST, number, logs.next().unwrap_or_default());
        let (first, second) = (log_of(1), log_of(2));
        let rest = &FOUNDER[..];
        let forth = tree_of([rest, &first, &second].concat().iter());
        let back = tree_of([&second, rest, &first].concat().iter().rev());
        assert_eq!(forth, back, "order of arrival shows");
    }
);

/// The digest of the tree these transactions make of a newcomer's.
fn tree_of<'a>(log: impl Iterator<Item = &'a Vec<u8>>) -> [u8; 32] {
    let mut ledger = CAST.newcomer();
    let mut last = None;
    for sealed in log {
        last = Some(sealed);
        ledger.accept(at(NOW), sealed).expect("no member can make a ledger fail");
    }
    if let Some(last) = last {
        ledger.accept(at(NOW), last).expect("twice is as good as once");
    }
    store(&mut ledger);
    ledger.digest().expect("memory")
}

fn store(ledger: &mut Ledger) {
    let before = ledger.digest().expect("memory");
    if let Some(batch) = ledger.freeze(at(NOW)).expect("memory") {
        ledger.writer().write(&batch).expect("memory");
        ledger.thaw(batch);
    }
    assert_eq!(ledger.digest().expect("what was stored can be read"), before);
}
