//! A sealed transaction as a peer sends it: any bytes, and, to get behind the seal, any plaintext under a valid one.
#![no_main]

use std::sync::LazyLock;

use fuzz::cast::Cast;
use fuzz::{seeds, wrap};
use ledger::transaction::SealedTransaction;
use libfuzzer_sys::fuzz_target;

static CAST: LazyLock<Cast> = LazyLock::new(Cast::new);

fuzz_target!(
    init: seeds::plant(CAST.log.clone()),
    |data: &[u8]| {
        let (_, key) = &CAST.keyring.epochs[0];
        if let Ok(sealed) = SealedTransaction::parse(data) {
            let _ = sealed.verify(&CAST.device(0).public());
            let _ = sealed.open(key);
        }
        let log = wrap::log(&CAST, 1, &[data]);
        let sealed = SealedTransaction::parse(&log[0]).expect("a sealed one parses");
        assert_eq!(sealed.open(key).expect("its key opens it"), data);
    }
);
