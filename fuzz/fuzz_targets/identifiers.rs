//! What people type: identifiers and the recovery phrase.
#![no_main]

use fuzz::cast::Cast;
use fuzz::seeds;
use ledger::identity::{DeviceId, RealmId, UserId, WorkspaceId};
use ledger::keys::UserKeys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        let cast = Cast::new();
        let texts = [
            cast.device(0).id().to_text(),
            cast.user.id().to_text(),
            cast.keyring.workspace.to_text(),
            cast.keyring.root_realm.to_text(),
            cast.user.recovery_phrase().to_string(),
        ];
        seeds::plant(texts.map(String::into_bytes));
    },
    |data: &[u8]| {
        let Ok(text) = std::str::from_utf8(data) else { return };
        if let Ok(id) = text.parse::<DeviceId>() {
            assert_eq!(id.to_text().parse(), Ok(id));
        }
        if let Ok(id) = text.parse::<UserId>() {
            assert_eq!(id.to_text().parse(), Ok(id));
        }
        if let Ok(id) = text.parse::<WorkspaceId>() {
            assert_eq!(id.to_text().parse(), Ok(id));
        }
        if let Ok(id) = text.parse::<RealmId>() {
            assert_eq!(id.to_text().parse(), Ok(id));
        }
        if let Ok(keys) = UserKeys::from_recovery_phrase(text) {
            let again = UserKeys::from_recovery_phrase(&keys.recovery_phrase());
            assert!(again.is_ok_and(|again| again.id() == keys.id()));
        }
    }
);
