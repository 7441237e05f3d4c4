//! Keys of one user with as many devices as any seed needs. Made once: they cost more than a simulation.

use std::sync::LazyLock;

use ledger::keys::{DeviceKey, Keyring, UserKeys};
use ledger::{Now, Time};

/// Most devices of a world, those that are on the roster and never start among them.
pub const DEVICES_MAX: usize = 224;
/// Where the world's time begins: 2026-01-01, milliseconds.
pub const START_MS: u64 = 1_767_225_600_000;

pub struct Cast {
    pub user: UserKeys,
    pub keyring: Keyring,
    pub devices: Vec<DeviceKey>,
}

pub static CAST: LazyLock<Cast> = LazyLock::new(|| {
    let user = UserKeys::generate(&mut entropy(1));
    let keyring = Keyring::generate(&user.id(), &mut entropy(2));
    let devices = (0..DEVICES_MAX as u64).map(|number| DeviceKey::generate(&mut entropy(100 + number)));
    Cast { devices: devices.collect(), user, keyring }
});

fn entropy(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut reader = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    move |bytes| reader.fill(bytes)
}

/// What a wall clock shows at a moment of the world that is so much ahead of it, or behind, milliseconds.
pub fn wall(now: u64, ahead_ms: i64) -> Now {
    Now { wall: Time::from_millis((START_MS + now).checked_add_signed(ahead_ms).unwrap()) }
}
