//! Real encodings for a fuzzer to start from.

use std::path::PathBuf;

use ledger::Table;
use ledger::transaction::SealedTransaction;

use crate::cast::{Cast, DEVICES};

/// Puts seeds into the corpus folder the fuzzer was given, if it was given one.
pub fn plant(seeds: impl IntoIterator<Item = Vec<u8>>) {
    let folder = std::env::args_os().skip(1).map(PathBuf::from).find(|path| path.is_dir());
    let Some(folder) = folder else { return };
    for seed in seeds {
        let name = format!("seed-{}", &blake3::hash(&seed).to_hex()[..16]);
        std::fs::write(folder.join(name), seed).expect("the corpus folder can be written");
    }
}

/// The plain edits of every transaction, device by device.
pub fn edits(cast: &Cast) -> Vec<Vec<Vec<u8>>> {
    let (_, key) = &cast.keyring.epochs[0];
    let of_device = |number| {
        let id = cast.device(number).id();
        let parsed = cast.log.iter().map(|sealed| SealedTransaction::parse(sealed).expect("the cast's own"));
        let own = parsed.filter(|sealed| sealed.header().device == id);
        own.map(|sealed| sealed.open(key).expect("the cast's key")).collect()
    };
    (0..DEVICES).map(of_device).collect()
}

/// The rows of one table.
pub fn rows(cast: &Cast, table: Table) -> Vec<Vec<u8>> {
    let values = cast.rows.iter().filter(|(of, ..)| *of == table).filter_map(|(.., value)| value.clone());
    values.collect()
}

/// The roster's records.
pub fn records(cast: &Cast) -> Vec<Vec<u8>> {
    cast.newcomer().roster().records().map(|record| record.as_bytes().to_vec()).collect()
}
