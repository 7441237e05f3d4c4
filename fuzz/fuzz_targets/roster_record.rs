//! Records of the roster: any bytes, and any action under the signature of its owner or of a stranger.
#![no_main]

use std::sync::LazyLock;

use fuzz::cast::Cast;
use fuzz::{seeds, wrap};
use ledger::keys::UserKeys;
use ledger::roster::{Roster, RosterRecord};
use libfuzzer_sys::fuzz_target;

static CAST: LazyLock<Cast> = LazyLock::new(Cast::new);
static ROSTER: LazyLock<Roster> = LazyLock::new(|| CAST.newcomer().roster().clone());
/// Bytes of a record before its action, for one parent: header, workspace, parents, author's keys.
const ACTION_AT: usize = 6 + 16 + 33 + 64;
const SIGNATURE_BYTES: usize = 64;

fuzz_target!(
    init: {
        let records = seeds::records(&CAST);
        let actions = records.iter().filter_map(|record| record.get(ACTION_AT..record.len() - SIGNATURE_BYTES));
        seeds::plant(records.iter().cloned().chain(actions.map(<[u8]>::to_vec)).collect::<Vec<_>>());
    },
    |data: &[u8]| {
        if let Ok(record) = RosterRecord::parse(data) {
            assert_eq!(record.as_bytes(), data);
            apply(record);
        }
        let stranger = UserKeys::generate(&mut |bytes| bytes.fill(3));
        let last = *ROSTER.records().last().expect("it was founded").hash().as_bytes();
        for author in [&CAST.user, &stranger] {
            if let Ok(record) = RosterRecord::parse(&wrap::roster_record(&CAST, author, &[last], data)) {
                apply(record);
            }
        }
    }
);

fn apply(record: RosterRecord) {
    let mut roster = ROSTER.clone();
    let _ = roster.apply(record);
    let mut keyring = CAST.keyring.clone();
    roster.update_keyring(&CAST.user, &mut keyring);
    let _ = roster.digest();
    roster.members().for_each(|member| drop(member.name(&keyring)));
    roster.devices().for_each(|device| drop(device.name(&keyring)));
}
