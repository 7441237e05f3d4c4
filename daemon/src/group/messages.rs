//! What two computers say to each other over a paired channel, in order.
//!
//! ```text
//! inviter                                  joiner
//!   Offer  what this invitation is for ───▶
//!          ◀─── Accept   who I am, and that my device agrees
//!   Records … the roster            ───▶
//!   Welcome   keys, addresses       ───▶
//!          ◀─── Kept     it is on my disk
//! ```
//!
//! A user whose devices are all gone comes with his recovery phrase instead of an invitation: the offer asks for his signature, and he
//! adds his new device to the roster himself.
//!
//! Format: a version byte, then postcard. Everything is bounded by the channel's own limit.

use ledger::identity::{DeviceId, UserId, WorkspaceId};
use ledger::keys::{Signature, UserPublicKeys};
use ledger::roster::{DeviceClaim, Role};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

/// Version of these messages.
const VERSION: u8 = 1;
/// Records of the roster in one message, bytes: well inside what the channel carries.
const RECORDS_MAX_BYTES: usize = 512 << 10;

/// One message.
#[derive(Serialize, Deserialize)]
pub enum Message {
    /// What is offered.
    Offer(Offer),
    /// What comes in.
    Accept(Accept),
    /// Records of the roster, some of many.
    Records(Vec<Vec<u8>>),
    /// All that is needed to open the drive.
    Welcome(Welcome),
    /// The joiner has it on disk.
    Kept,
    /// Not done, and why.
    Refused(String),
}

/// What this invitation is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invited {
    /// A new device of this user.
    Device(UserId),
    /// Somebody else, in this role.
    Person(Role),
    /// A user who proves by a signature that he is a member already.
    Recovering(UserId),
}

/// What is offered.
#[derive(Serialize, Deserialize)]
pub struct Offer {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its name; none for a host.
    pub name: Option<String>,
    /// In which way.
    pub invited: Invited,
    /// Who offers.
    pub by: DeviceId,
}

/// Who joins.
#[derive(Serialize, Deserialize)]
pub struct Accept {
    /// The device agrees to belong to the user.
    pub claim: DeviceClaim,
    /// The user.
    pub user: UserPublicKeys,
    /// Names of user and device.
    pub user_name: String,
    pub device_name: String,
    /// Of one who recovers: [`recovery_statement`], signed by the user, and the record that adds the device.
    pub proof: Option<Proof>,
}

/// A user's own word.
#[derive(Serialize, Deserialize)]
pub struct Proof {
    pub signature: Signature,
}

/// All that is needed to open the drive.
#[derive(Serialize, Deserialize)]
pub struct Welcome {
    /// The user's keys, in the form of an open `user.key`, for a new device of his.
    pub user_key: Option<Vec<u8>>,
    /// The keyring, sealed to the user; none for a host, and for one who recovers: the roster has his.
    pub keyring: Option<Vec<u8>>,
    /// What is known of the hosts: their signed facts.
    pub facts: Vec<Vec<u8>>,
}

impl Drop for Welcome {
    fn drop(&mut self) {
        self.user_key.zeroize();
    }
}

/// What a message is not.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("the other computer speaks version {0} of the pairing, this one {VERSION}: update the older one")]
    Version(u8),
    #[error("the other computer sent something that is no message of the pairing")]
    Malformed,
}

impl Message {
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let bytes = postcard::to_extend(self, vec![VERSION]).expect("a message always encodes");
        Zeroizing::new(bytes)
    }

    /// # Errors
    /// [`MessageError`]; any bytes are safe to give.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        match bytes.split_first() {
            Some((&VERSION, body)) => match postcard::take_from_bytes(body) {
                Ok((message, [])) => Ok(message),
                _ => Err(MessageError::Malformed),
            },
            Some((version, _)) => Err(MessageError::Version(*version)),
            None => Err(MessageError::Malformed),
        }
    }
}

/// What a recovering user signs: it names both ends, so that nobody in between can use it.
pub fn recovery_statement(inviter: &[u8; 32], joiner: &[u8; 32], workspace: &WorkspaceId) -> Vec<u8> {
    [b"peerdrive 2026 recovery statement v1\0", &inviter[..], &joiner[..], workspace.as_bytes()].concat()
}

/// The records in messages that the channel carries.
pub fn records_messages(records: Vec<Vec<u8>>) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut part: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    for record in records {
        if bytes + record.len() > RECORDS_MAX_BYTES && !part.is_empty() {
            messages.push(Message::Records(std::mem::take(&mut part)));
            bytes = 0;
        }
        bytes += record.len();
        part.push(record);
    }
    messages.push(Message::Records(part));
    messages
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_of_a_message_are_what_they_were() {
        let offer = Offer {
            workspace: WorkspaceId::from_bytes([1; 16]),
            name: Some("drive".into()),
            invited: Invited::Person(Role::Writer),
            by: DeviceId::from_bytes([2; 32]),
        };
        let mut golden = vec![1, 0];
        golden.extend([1; 16]);
        golden.extend([1, 5]);
        golden.extend(b"drive");
        golden.extend([1, 2]);
        golden.extend([2; 32]);
        assert_eq!(*Message::Offer(offer).encode(), golden);
        assert_eq!(*Message::Kept.encode(), [1, 4]);
    }

    #[test]
    fn other_versions_and_trailing_bytes_are_refused() {
        assert!(matches!(Message::decode(&[2, 4]), Err(MessageError::Version(2))));
        assert!(matches!(Message::decode(&[1, 4, 0]), Err(MessageError::Malformed)));
        assert!(matches!(Message::decode(&[]), Err(MessageError::Malformed)));
    }

    #[test]
    fn records_are_sent_in_parts_that_fit() {
        let parts = records_messages(vec![vec![0; 300 << 10]; 5]);
        assert_eq!(parts.len(), 5);
        assert_eq!(records_messages(Vec::new()).len(), 1);
        assert!(parts.iter().all(|part| part.encode().len() < 1 << 20));
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Message::decode(&bytes);
            let _ = Message::decode(&[&[VERSION][..], &bytes].concat());
        }
    }
}
