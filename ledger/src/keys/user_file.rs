//! The file `user.key`: the root seed, open or sealed by a passphrase.
//!
//! The key that seals is made from the passphrase and a fresh salt, so it seals one message ever and the nonce can be
//! zero. The frame's check is over the sealed bytes: when it fits and the seal does not open, the passphrase is wrong.

use zeroize::Zeroizing;

use super::frame::{Frame, HEADER_BYTES};
use super::passphrase::{self, PassphraseCost, SALT_BYTES};
use super::{Entropy, KeyError, UserKeys, aead};
use crate::identity::UserId;

const FILE: Frame = Frame { magic: b"PDuserky", version: 1, what: "user key", max_body_bytes: LOCKED_BYTES };
const FORM_OPEN: u16 = 0;
const FORM_LOCKED: u16 = 1;
const NONCE: [u8; 12] = [0; 12];

// Offsets in the body of the locked form.
const COST_AT: usize = 32;
const SALT_AT: usize = COST_AT + 12;
const SEALED_AT: usize = SALT_AT + SALT_BYTES;
const LOCKED_BYTES: usize = SEALED_AT + 32 + aead::TAG_BYTES;

/// A parsed `user.key`.
pub enum UserKeyFile {
    /// The keys, ready for use.
    Open(UserKeys),
    /// Keys that need their passphrase first.
    Locked(LockedUserKeys),
}

impl UserKeyFile {
    /// Reads the content of `user.key`.
    ///
    /// # Errors
    /// [`KeyError::NotThisFile`], [`KeyError::NewerVersion`], [`KeyError::Damaged`], and
    /// [`KeyError::CostOutOfRange`] for a file that asks for more memory than this release grants.
    pub fn parse(file: &[u8]) -> Result<Self, KeyError> {
        match FILE.decode(file)? {
            (FORM_OPEN, body) => {
                let root = body.try_into().map_err(|_| FILE.damaged())?;
                Ok(Self::Open(UserKeys::from_root(root)))
            }
            (FORM_LOCKED, body) => LockedUserKeys::parse(body).map(Self::Locked),
            _ => Err(FILE.damaged()),
        }
    }
}

/// The keys of a user under a passphrase.
pub struct LockedUserKeys {
    user: UserId,
    cost: PassphraseCost,
    body: [u8; LOCKED_BYTES],
}

impl LockedUserKeys {
    fn parse(body: &[u8]) -> Result<Self, KeyError> {
        let body: [u8; LOCKED_BYTES] = body.try_into().map_err(|_| FILE.damaged())?;
        let number = |n: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&body[COST_AT + 4 * n..COST_AT + 4 * n + 4]);
            u32::from_be_bytes(bytes)
        };
        let cost = PassphraseCost { memory_kib: number(0), passes: number(1), lanes: number(2) };
        cost.check()?;
        let mut user = [0; 32];
        user.copy_from_slice(&body[..COST_AT]);
        Ok(Self { user: UserId::from_bytes(user), cost, body })
    }

    /// Whose keys these are.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// What one try costs.
    pub fn cost(&self) -> PassphraseCost {
        self.cost
    }

    /// Opens the keys. Takes the time and memory of [`LockedUserKeys::cost`].
    ///
    /// # Errors
    /// [`KeyError::WrongPassphrase`], [`KeyError::EmptyPassphrase`] or [`KeyError::OutOfMemory`].
    pub fn unlock(&self, passphrase: &str) -> Result<UserKeys, KeyError> {
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(&self.body[SALT_AT..SEALED_AT]);
        let key = passphrase::stretch(passphrase, &salt, self.cost)?;
        let mut sealed = Zeroizing::new(self.body[SEALED_AT..].to_vec());
        aead::open_in_place(&key, NONCE, &associated(&self.body), &mut sealed)
            .ok_or(KeyError::WrongPassphrase)?;
        let root = sealed.as_slice().try_into().map_err(|_| FILE.damaged())?;
        let keys = UserKeys::from_root(root);
        if keys.id() == self.user { Ok(keys) } else { Err(FILE.damaged()) }
    }
}

impl UserKeys {
    /// The content of an open `user.key`. Write it with owner-only access.
    pub fn to_open_file(&self) -> Zeroizing<Vec<u8>> {
        FILE.encode(FORM_OPEN, self.root())
    }

    /// The content of a `user.key` that opens with this passphrase only.
    ///
    /// # Errors
    /// [`KeyError::EmptyPassphrase`], [`KeyError::CostOutOfRange`] or [`KeyError::OutOfMemory`].
    pub fn to_locked_file(
        &self,
        passphrase: &str,
        entropy: &mut Entropy<'_>,
        cost: PassphraseCost,
    ) -> Result<Vec<u8>, KeyError> {
        let mut salt = [0; SALT_BYTES];
        entropy(&mut salt);
        let key = passphrase::stretch(passphrase, &salt, cost)?;
        let mut body = [0; LOCKED_BYTES];
        body[..COST_AT].copy_from_slice(self.id().as_bytes());
        for (n, number) in [cost.memory_kib, cost.passes, cost.lanes].into_iter().enumerate() {
            body[COST_AT + 4 * n..COST_AT + 4 * n + 4].copy_from_slice(&number.to_be_bytes());
        }
        body[SALT_AT..SEALED_AT].copy_from_slice(&salt);
        let mut sealed = Zeroizing::new(Vec::with_capacity(32 + aead::TAG_BYTES));
        sealed.extend_from_slice(self.root());
        aead::seal_in_place(&key, NONCE, &associated(&body), &mut sealed);
        body[SEALED_AT..].copy_from_slice(&sealed);
        Ok(FILE.encode(FORM_LOCKED, &body).to_vec())
    }
}

/// What the seal vouches for besides the seed: the frame's header, the user, cost and salt.
fn associated(body: &[u8; LOCKED_BYTES]) -> [u8; HEADER_BYTES + SEALED_AT] {
    let mut associated = [0; HEADER_BYTES + SEALED_AT];
    associated[..HEADER_BYTES].copy_from_slice(&FILE.header(FORM_LOCKED, LOCKED_BYTES));
    associated[HEADER_BYTES..].copy_from_slice(&body[..SEALED_AT]);
    associated
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::super::test_entropy;
    use super::*;

    fn keys() -> UserKeys {
        UserKeys::generate(&mut test_entropy(1))
    }

    fn locked_file() -> Vec<u8> {
        keys().to_locked_file("let me in", &mut test_entropy(2), PassphraseCost::LEAST).unwrap()
    }

    fn unlock(file: &[u8], passphrase: &str) -> Result<UserKeys, KeyError> {
        match UserKeyFile::parse(file)? {
            UserKeyFile::Open(keys) => Ok(keys),
            UserKeyFile::Locked(locked) => locked.unlock(passphrase),
        }
    }

    #[test]
    fn file_bytes_are_fixed() {
        assert_eq!(
            HEXLOWER.encode(&keys().to_open_file()),
            "5044757365726b7900010000000000205dc76cbd474e91b7e85a02bcba29892273ebf93f20bab06b2f352313a5050c05aa6586ca546e97014a3ae15d18f13adc"
        );
        assert_eq!(
            HEXLOWER.encode(&locked_file()),
            "5044757365726b79000100010000006c94a20260257f43e0e8864624cbef76c902bdbe26169468a222580a507d3230b2000000080000000100000001558db9414391f0aeb11d6470b1b8efca1ee65e8f40130d98b138910bf6ef94c79359c61e3db66b7e6c39e8a66d7ed5a2af4959a0dd8a755c13b72f2ad9dc4e489c1b3c33d0c2a511172ebb787be3f36c"
        );
    }

    #[test]
    fn both_forms_open_again() {
        assert_eq!(unlock(&keys().to_open_file(), "").ok().unwrap().id(), keys().id());
        assert_eq!(unlock(&locked_file(), "let me in").ok().unwrap().id(), keys().id());
        let UserKeyFile::Locked(locked) = UserKeyFile::parse(&locked_file()).ok().unwrap() else {
            panic!("a locked file reads as locked")
        };
        assert_eq!(locked.user(), keys().id());
        assert_eq!(locked.cost(), PassphraseCost::LEAST);
    }

    #[test]
    fn a_wrong_passphrase_and_a_damaged_file_are_told_apart() {
        let file = locked_file();
        assert_eq!(unlock(&file, "let me out").err(), Some(KeyError::WrongPassphrase));
        assert_eq!(unlock(&file, "").err(), Some(KeyError::EmptyPassphrase));
        for at in 10..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 0x10;
            assert_eq!(
                unlock(&broken, "let me in").err(),
                Some(KeyError::Damaged { what: "user key" }),
                "byte {at}"
            );
        }
    }

    #[test]
    fn a_forged_cost_or_owner_does_not_open() {
        let file = locked_file();
        let (form, body) = FILE.decode(&file).unwrap();
        for at in 0..SEALED_AT {
            let mut forged = body.to_vec();
            forged[at] ^= 0x01;
            let outcome = unlock(&FILE.encode(form, &forged), "let me in").err();
            assert!(outcome.is_some(), "byte {at} of the body is vouched for");
        }
    }

    #[test]
    fn an_empty_passphrase_seals_nothing() {
        let found = keys().to_locked_file("", &mut test_entropy(2), PassphraseCost::LEAST).err();
        assert_eq!(found, Some(KeyError::EmptyPassphrase));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>, form in 0u16..3) {
            let _ = UserKeyFile::parse(&bytes);
            let _ = UserKeyFile::parse(&FILE.encode(form, &bytes[..bytes.len().min(FILE.max_body_bytes)]));
        }
    }
}
