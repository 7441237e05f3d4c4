//! `device.key`, `user.key` and keyrings: any bytes, and any body in a frame that checks out (2 bytes of form first).
#![no_main]

use std::sync::LazyLock;

use fuzz::cast::Cast;
use fuzz::{seeds, wrap};
use ledger::keys::{DeviceKey, Keyring, PassphraseCost, UserKeyFile};
use libfuzzer_sys::fuzz_target;

static CAST: LazyLock<Cast> = LazyLock::new(Cast::new);

fuzz_target!(
    init: {
        let mut entropy = |bytes: &mut [u8]| bytes.fill(9);
        let locked = CAST.user.to_locked_file("a passphrase", &mut entropy, PassphraseCost::LEAST).expect("cheap");
        let ring = CAST.keyring.seal_to(&CAST.user.agreement_public(), &mut entropy).expect("the cast's key is sound");
        let files = [CAST.device(0).to_file_bytes().to_vec(), CAST.user.to_open_file().to_vec(), locked, ring.to_vec()];
        let bodies = files.iter().map(|file| [&file[10..12], &file[16..file.len() - 16]].concat());
        seeds::plant(files.iter().cloned().chain(bodies).collect::<Vec<_>>());
    },
    |data: &[u8]| {
        read(data);
        if let Some((form, body)) = data.split_first_chunk::<2>() {
            for magic in [b"PDdevkey", b"PDuserky", b"PDkeyrng"] {
                read(&wrap::key_file(magic, u16::from_be_bytes(*form), body));
            }
        }
    }
);

fn read(file: &[u8]) {
    if let Ok(key) = DeviceKey::from_file_bytes(file) {
        assert_eq!(key.to_file_bytes().as_slice(), file, "there is one form only");
    }
    match UserKeyFile::parse(file) {
        Ok(UserKeyFile::Open(keys)) => {
            assert_eq!(keys.to_open_file().as_slice(), file, "there is one form only")
        }
        // Opening takes the time a passphrase takes: not for a fuzzer.
        Ok(UserKeyFile::Locked(locked)) => {
            locked.cost().check().expect("a cost that was accepted is bounded")
        }
        Err(_) => {}
    }
    let _ = Keyring::unseal(&CAST.user, file);
}
