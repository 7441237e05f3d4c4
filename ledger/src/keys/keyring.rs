//! The keyring of a workspace: every secret a member's device needs, sealed to the user's agreement key.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::frame::Frame;
use super::sealed_box::{self, SealedBox, seal_box};
use super::{AgreementPublicKey, Entropy, KeyError, UserKeys, aead};
use crate::identity::{RealmId, UserId, WorkspaceId};

const FILE: Frame = Frame { magic: b"PDkeyrng", version: 1, what: "keyring", max_body_bytes: MAX_BODY_BYTES };
const FORM_SEALED: u16 = 1;
const PURPOSE: &[u8] = b"peerdrive keyring v1";
const EPOCH_CONTEXT: &str = "peerdrive 2026 epoch key commitment v1";

const FIXED_BYTES: usize = 16 + 16 + 32 + 64 + 16 + 4;
const EPOCH_BYTES: usize = 4 + 32;
const MAX_PLAIN_BYTES: usize = FIXED_BYTES + Keyring::MAX_EPOCHS * EPOCH_BYTES;
const MAX_BODY_BYTES: usize = 32 + sealed_box::OVERHEAD_BYTES + MAX_PLAIN_BYTES;

/// The key that a realm's transactions are sealed under during one epoch.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct EpochKey([u8; 32]);

impl EpochKey {
    /// A new key.
    pub fn generate(entropy: &mut Entropy<'_>) -> Self {
        let mut key = Self([0; 32]);
        entropy(&mut key.0);
        key
    }

    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for deriving other keys from and for sealing to members.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A public value that belongs to this key only and tells nothing of it: members see that they all got the same.
    pub fn commitment(&self) -> [u8; 32] {
        blake3::derive_key(EPOCH_CONTEXT, &self.0)
    }
}

impl ConstantTimeEq for EpochKey {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}

/// The secrets of one workspace on one device.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Keyring {
    /// The workspace they belong to.
    #[zeroize(skip)]
    pub workspace: WorkspaceId,
    /// What the founder made the workspace's identifier with.
    pub founding_salt: [u8; 16],
    /// Makes fingerprints, chunk keys and cut points; the same for all members.
    pub dedup_secret: [u8; 32],
    /// Encrypts this device's databases; different on each device.
    pub database_key: [u8; 64],
    /// The realm of the root folder.
    #[zeroize(skip)]
    pub root_realm: RealmId,
    /// Epoch keys of the root realm by number. After removals at the same time, a number may occur twice.
    pub epochs: Vec<(u32, EpochKey)>,
}

impl Keyring {
    /// Most epochs a keyring holds.
    pub const MAX_EPOCHS: usize = 4096;

    /// The secrets of a new workspace, founded by `founder`.
    pub fn generate(founder: &UserId, entropy: &mut Entropy<'_>) -> Self {
        let mut founding_salt = [0; 16];
        entropy(&mut founding_salt);
        let mut root_realm = [0; 16];
        entropy(&mut root_realm);
        let root_realm = RealmId::from_bytes(root_realm);
        let mut ring = Self {
            workspace: WorkspaceId::founded_by(founder, &founding_salt, &root_realm),
            founding_salt,
            dedup_secret: [0; 32],
            database_key: [0; 64],
            root_realm,
            epochs: vec![(1, EpochKey::generate(entropy))],
        };
        entropy(&mut ring.dedup_secret);
        entropy(&mut ring.database_key);
        ring
    }

    /// The same secrets for another device: with a database key of its own.
    #[must_use]
    pub fn for_another_device(&self, entropy: &mut Entropy<'_>) -> Self {
        let mut ring = self.clone();
        entropy(&mut ring.database_key);
        ring
    }

    /// The keys with this epoch number: one, or more after removals at the same time.
    pub fn epoch_keys(&self, epoch: u32) -> impl Iterator<Item = &EpochKey> {
        self.epochs.iter().filter(move |(number, _)| *number == epoch).map(|(_, key)| key)
    }

    /// Adds an epoch key unless it is there already or the ring is full. Answers whether the ring changed.
    pub fn add_epoch(&mut self, epoch: u32, key: EpochKey) -> bool {
        let known = self.epoch_keys(epoch).any(|known| bool::from(known.ct_eq(&key)));
        let room = self.epochs.len() < Self::MAX_EPOCHS;
        if !known && room {
            // A new list instead of a push: growing in place would leave unwiped copies behind.
            let mut longer = Vec::with_capacity(self.epochs.len() + 1);
            longer.extend(self.epochs.iter().cloned());
            longer.push((epoch, key));
            self.epochs = longer;
        }
        !known && room
    }

    /// The content of a keyring file that only the owner of `recipient` opens.
    ///
    /// # Errors
    /// [`KeyError::InvalidPublicKey`] when the recipient's key is a weak one.
    pub fn seal_to(
        &self,
        recipient: &AgreementPublicKey,
        entropy: &mut Entropy<'_>,
    ) -> Result<Vec<u8>, KeyError> {
        let mut ephemeral = Zeroizing::new([0; 32]);
        entropy(ephemeral.as_mut());
        let sealed = seal_box(recipient, &ephemeral, PURPOSE, &self.plain())?;
        Ok(FILE.encode(FORM_SEALED, &[&recipient.as_bytes()[..], &sealed].concat()).to_vec())
    }

    /// Opens a keyring file.
    ///
    /// # Errors
    /// [`KeyError::ForAnotherUser`], and those of all key files.
    pub fn unseal(keys: &UserKeys, file: &[u8]) -> Result<Self, KeyError> {
        let (FORM_SEALED, body) = FILE.decode(file)? else { return Err(FILE.damaged()) };
        let (recipient, sealed) = body.split_first_chunk::<32>().ok_or_else(|| FILE.damaged())?;
        if recipient != keys.agreement_public().as_bytes() {
            return Err(KeyError::ForAnotherUser { what: FILE.what });
        }
        let plain = SealedBox(sealed).open(keys, PURPOSE).ok_or_else(|| FILE.damaged())?;
        Self::from_plain(&plain).ok_or_else(|| FILE.damaged())
    }

    fn plain(&self) -> Zeroizing<Vec<u8>> {
        let length = FIXED_BYTES + self.epochs.len() * EPOCH_BYTES + aead::TAG_BYTES;
        let mut plain = Zeroizing::new(Vec::with_capacity(length));
        plain.extend_from_slice(self.workspace.as_bytes());
        plain.extend_from_slice(&self.founding_salt);
        plain.extend_from_slice(&self.dedup_secret);
        plain.extend_from_slice(&self.database_key);
        plain.extend_from_slice(self.root_realm.as_bytes());
        plain.extend_from_slice(&(self.epochs.len() as u32).to_be_bytes());
        for (epoch, key) in &self.epochs {
            plain.extend_from_slice(&epoch.to_be_bytes());
            plain.extend_from_slice(&key.0);
        }
        plain
    }

    fn from_plain(plain: &[u8]) -> Option<Self> {
        let (workspace, rest) = plain.split_first_chunk()?;
        let (founding_salt, rest) = rest.split_first_chunk()?;
        let (dedup_secret, rest) = rest.split_first_chunk()?;
        let (database_key, rest) = rest.split_first_chunk()?;
        let (root_realm, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let count = u32::from_be_bytes(*count) as usize;
        if count > Self::MAX_EPOCHS || rest.len() != count * EPOCH_BYTES {
            return None;
        }
        Some(Self {
            workspace: WorkspaceId::from_bytes(*workspace),
            founding_salt: *founding_salt,
            dedup_secret: *dedup_secret,
            database_key: *database_key,
            root_realm: RealmId::from_bytes(*root_realm),
            epochs: rest.chunks_exact(EPOCH_BYTES).filter_map(read_epoch).collect(),
        })
    }
}

fn read_epoch(bytes: &[u8]) -> Option<(u32, EpochKey)> {
    let (epoch, key) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*epoch), EpochKey(key.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::super::test_entropy;
    use super::*;

    fn user(seed: u8) -> UserKeys {
        UserKeys::generate(&mut test_entropy(seed))
    }

    fn ring() -> Keyring {
        let mut ring = Keyring::generate(&user(1).id(), &mut test_entropy(2));
        ring.add_epoch(2, EpochKey::from_bytes([2; 32]));
        ring
    }

    #[test]
    fn plain_form_is_fixed_and_file_bytes_too() {
        let file = ring().seal_to(&user(1).agreement_public(), &mut test_entropy(3)).unwrap();
        assert_eq!(
            blake3::hash(&ring().plain()).to_hex().as_str(),
            "52efc7598cd704bb6256261c24cb691d98620e422bc233147d120b1fb9c53a9f"
        );
        assert_eq!(
            HEXLOWER.encode(&file),
            "50446b6579726e67000100010000012c57c8fa08e1963de2f199a263d7cb03f858031038793e6fd4faf6bae9adb626483a40200fd5186ce03d2cdc47d5bc3d173550309ad114bf17e9ea299b74d1584a54456dfc730a3dc660caed1abe235fddd4f4c3591821961b791b9ef03e3be19c726a6f2c70b7180a808d870e7748c0ee3749a304356e133629c95dd888dc459488c43e3ef4ceffe993abee7193df35b006e495fba3c3bb5658d29898e9950567dbdaf1588322353eefec02364cdbfb42cd38a33da3ad0ce99e63d21cbd89058b20a07cea83062d104e822c5060493506c7e85517877b6ff12c28b3541abf2e4b14ddd03530498c2d9abeaee0ce031118757491e08a9444cf2cf14d12a707da454de0e9cf93bac570f7912f41fa65d3a28e7b1b24a2fe4151d915999ad9e822fd2e372e8763ecd7a90ea60eeb2697d89f937d9d100d9d04de2ade6f84"
        );
    }

    #[test]
    fn it_opens_for_its_user_only() {
        let file = ring().seal_to(&user(1).agreement_public(), &mut test_entropy(3)).unwrap();
        assert_eq!(*Keyring::unseal(&user(1), &file).ok().unwrap().plain(), *ring().plain());
        assert_eq!(
            Keyring::unseal(&user(2), &file).err(),
            Some(KeyError::ForAnotherUser { what: "keyring" })
        );
        for at in 10..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 1;
            assert_eq!(
                Keyring::unseal(&user(1), &broken).err(),
                Some(KeyError::Damaged { what: "keyring" }),
                "{at}"
            );
        }
    }

    #[test]
    fn an_epoch_key_is_added_once_and_numbers_may_repeat() {
        let mut ring = ring();
        assert!(!ring.add_epoch(2, EpochKey::from_bytes([2; 32])));
        assert!(ring.add_epoch(2, EpochKey::from_bytes([3; 32])));
        assert_eq!(ring.epoch_keys(2).count(), 2);
        for n in 0..Keyring::MAX_EPOCHS as u32 {
            ring.add_epoch(100 + n, EpochKey::from_bytes([4; 32]));
        }
        assert_eq!(ring.epochs.len(), Keyring::MAX_EPOCHS);
        let file = ring.seal_to(&user(1).agreement_public(), &mut test_entropy(3)).unwrap();
        assert!(Keyring::unseal(&user(1), &file).is_ok());
    }

    #[test]
    fn another_device_gets_its_own_database_key() {
        let other = ring().for_another_device(&mut test_entropy(9));
        assert_ne!(other.database_key, ring().database_key);
        assert_eq!(other.dedup_secret, ring().dedup_secret);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>) {
            let _ = Keyring::unseal(&user(1), &bytes);
            let _ = Keyring::unseal(&user(1), &FILE.encode(FORM_SEALED, &bytes));
            let _ = Keyring::from_plain(&bytes);
        }
    }
}
