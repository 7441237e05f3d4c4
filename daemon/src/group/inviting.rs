//! The inviter's side of pairing: the book of open invitations, and what is handed over to whom.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ledger::identity::UserId;
use ledger::keys::{DeviceKey, UserKeys};
use ledger::roster::Role;
use parking_lot::Mutex;
use transport::{
    Book, Code, Invitation as Open, Invitations, PairedChannel, PairingLink, Secret, Selector,
    TICKET_ADDRESSES_MAX, Ticket,
};
use ui::answers::{Invitation, InviteRequest};
use ui::api::Refusal;

use super::addresses;
use super::logs::Kept;
use super::messages::{Accept, Invited, Message, Offer, Welcome, records_messages, recovery_statement};
use super::shared::Shared;
use super::{Keys, Tell, driver::Told};
use crate::entropy;

/// How long a code works.
const CODE_LASTS: Duration = Duration::from_secs(600);
/// How long a ticket works.
const TICKET_LASTS: Duration = Duration::from_secs(86_400);
/// Numbers thrown for a code.
const NUMBER_TRIES: usize = 64;
/// Longest name of a computer or a person that is taken over, bytes.
const NAME_MAX_BYTES: usize = 128;
/// Longest silence of the other side while something is handed over.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything the inviter needs.
pub struct Inviter {
    pub kept: Kept,
    pub keys: Keys,
    pub device: DeviceKey,
    pub shared: Arc<Shared>,
    pub tell: Tell,
    pub book: Mutex<Book<Invited>>,
}

impl Inviter {
    /// Opens an invitation.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn invite(
        &self,
        asked: &InviteRequest,
        listens: std::net::SocketAddr,
    ) -> Result<Invitation, Refusal> {
        let invited = self.invited(asked)?;
        let lasts = if asked.ticket { TICKET_LASTS } else { CODE_LASTS };
        let until = SystemTime::now() + lasts;
        let now = unix_s(SystemTime::now());
        let expires_unix_s = unix_s(until);
        let mut book = self.book.lock();
        let open = |book: &mut Book<Invited>, secret: Secret| {
            let invitation = Open { secret, expires_unix_s, grants: invited.clone() };
            book.add(invitation, now).map_err(|error| Refusal::Refused(error.to_string()))
        };
        let (code, ticket) = if asked.ticket {
            let mut secret = [0; 16];
            entropy::fill(&mut secret);
            let ticket = Ticket {
                key: super::driver::peer_key(&self.device.public()),
                addresses: addresses::own(listens).into_iter().take(TICKET_ADDRESSES_MAX).collect(),
                secret,
                expires_unix_s,
            };
            open(&mut book, Secret::Ticket(secret))?;
            (None, Some(ticket.to_string()))
        } else {
            book.expire(now);
            let code = Code::generate(&mut entropy::fill, short_number(&book, now));
            open(&mut book, Secret::Code(code.clone()))?;
            (Some(code.to_string()), None)
        };
        Ok(Invitation { code, ticket, expires: crate::moment::to_text(until) })
    }

    fn invited(&self, asked: &InviteRequest) -> Result<Invited, Refusal> {
        let Keys::Drive { user, .. } = &self.keys else {
            return Err(Refusal::Refused(
                "this computer is a host only and cannot invite: ask an owner or admin".into(),
            ));
        };
        let Some(word) = &asked.role else { return Ok(Invited::Device(user.id())) };
        let role = Role::ALL.into_iter().find(|role| role.word() == word);
        let role = role.ok_or_else(|| Refusal::Refused(format!("there is no role {word}")))?;
        let own = self.own_role();
        let may = match own {
            Some(Role::Owner) => true,
            Some(Role::Admin) => role < Role::Admin,
            _ => false,
        };
        if may {
            return Ok(Invited::Person(role));
        }
        let own = own.map_or("nobody", Role::word);
        Err(Refusal::Refused(format!(
            "you are {own} here and may not invite a {role}: ask an owner or admin"
        )))
    }

    fn own_role(&self) -> Option<Role> {
        self.kept.logs.members().device(&self.device.id()).and_then(|device| device.role)
    }

    /// Numbers of the codes that are open, for discovery.
    pub fn open_numbers(&self) -> Vec<u16> {
        let book = self.book.lock();
        let numbers =
            book.open(unix_s(SystemTime::now())).filter_map(|(_, open)| match open.secret.selector() {
                Selector::Code(number) => Some(number),
                Selector::Ticket(_) => None,
            });
        numbers.collect()
    }

    /// Serves somebody who wants to pair.
    pub async fn serve(self: Arc<Self>, link: PairingLink) {
        let from = link.remote_address();
        let channel = match transport::pair_as_inviter(link, &*self).await {
            Ok(channel) => channel,
            Err(error) => {
                tracing::warn!(%from, %error, "somebody tried to pair and was refused");
                self.tell.announce();
                return;
            }
        };
        let Some(invited) = self.granted(channel.selector()) else { return };
        tracing::info!(%from, ?invited, "a computer pairs");
        if let Err(error) = self.hand_over(channel, &invited).await {
            tracing::warn!(%from, error, "a computer paired, and did not get everything");
        }
        self.tell.tell(Told::RosterChanged);
        self.tell.announce();
    }

    async fn hand_over(&self, mut channel: PairedChannel, invited: &Invited) -> Result<(), String> {
        let name = match invited {
            Invited::Person(Role::Host) | Invited::Recovering(_) => None,
            _ => self.keys.workspace_name(),
        };
        let by = self.device.id();
        let offer = Offer { workspace: self.kept.workspace, name, invited: invited.clone(), by };
        send(&mut channel, &Message::Offer(offer)).await?;
        // One who recovers needs the roster before he can say who he is in it.
        if matches!(invited, Invited::Recovering(_)) {
            return self.serve_recovery(channel, invited).await;
        }
        let Message::Accept(accept) = receive(&mut channel).await? else { return Err(unexpected()) };
        let outcome = self.admit(&channel, invited, &accept);
        let welcome = match outcome {
            Ok(welcome) => welcome,
            Err(why) => return refuse(&mut channel, why).await,
        };
        for message in records_messages(self.kept.logs.records()) {
            send(&mut channel, &message).await?;
        }
        send(&mut channel, &Message::Welcome(welcome)).await?;
        match receive(&mut channel).await? {
            Message::Kept => {
                channel.finish().await;
                Ok(())
            }
            _ => Err(unexpected()),
        }
    }

    /// Writes the newcomer into the roster, and gathers what it needs.
    fn admit(&self, channel: &PairedChannel, invited: &Invited, accept: &Accept) -> Result<Welcome, String> {
        self.check_claim(channel, accept)?;
        let Keys::Drive { drive, user } = &self.keys else {
            return Err("this computer cannot invite".into());
        };
        let user = match invited {
            Invited::Device(user_id) if accept.claim.user() != *user_id => {
                return Err("the device claims another user than the one who invited it".into());
            }
            Invited::Person(_) if accept.claim.user() != accept.user.id() => {
                return Err("the device claims another user than it says".into());
            }
            _ => user,
        };
        let claim = accept.claim;
        let device_name = shortened(&accept.device_name, "a computer");
        let user_name = shortened(&accept.user_name, "somebody");
        let role = if let Invited::Person(role) = invited { Some(*role) } else { None };
        let newcomer = accept.user;
        drive
            .change_roster(|roster, keyring| {
                let mut records = Vec::new();
                if let Some(role) = role {
                    records.extend(roster.add_user(user, keyring, &newcomer, role, &user_name)?);
                }
                records.push(roster.add_device(user, keyring, claim, &device_name)?);
                Ok(records)
            })
            .map_err(|error| error.to_string())?;
        self.tell.tell(Told::RosterChanged);
        let sealed_to = if role.is_some() { newcomer.agreement } else { user.agreement_public() };
        let keyring = match role {
            Some(Role::Host) => None,
            _ => Some(drive.roster(|_, keyring| {
                keyring.for_another_device(&mut entropy::fill).seal_to(&sealed_to, &mut entropy::fill)
            })),
        };
        let keyring = keyring.transpose().map_err(|error| error.to_string())?;
        let user_key = role.is_none().then(|| user.to_open_file().to_vec());
        Ok(Welcome { user_key, keyring, facts: self.facts() })
    }

    fn check_claim(&self, channel: &PairedChannel, accept: &Accept) -> Result<(), String> {
        let claimed = accept.claim.device();
        let connected =
            ledger::keys::DevicePublicKey::from_bytes(channel.peer().0).map_err(|error| error.to_string())?;
        if claimed == ledger::identity::DeviceId::of(&connected) {
            Ok(())
        } else {
            Err("the claim is for another device than the one that is connected".into())
        }
    }

    fn facts(&self) -> Vec<Vec<u8>> {
        self.shared.with(|known| known.signed_facts.values().cloned().collect())
    }

    /// A user comes back with nothing but the phrase: he reads the roster, adds his device himself, and proves that he may.
    async fn serve_recovery(&self, mut channel: PairedChannel, invited: &Invited) -> Result<(), String> {
        let Message::Accept(accept) = receive(&mut channel).await? else { return Err(unexpected()) };
        if let Err(why) = self.check_recovery(&channel, invited, &accept) {
            return refuse(&mut channel, why).await;
        }
        for message in records_messages(self.kept.logs.records()) {
            send(&mut channel, &message).await?;
        }
        let welcome = Welcome { user_key: None, keyring: None, facts: self.facts() };
        send(&mut channel, &Message::Welcome(welcome)).await?;
        let Message::Records(records) = receive(&mut channel).await? else { return Err(unexpected()) };
        self.kept.logs.accept_records(&records)?;
        self.tell.tell(Told::RosterChanged);
        if self.kept.logs.members().device(&accept.claim.device()).is_none() {
            return refuse(&mut channel, "the roster does not allow it".into()).await;
        }
        send(&mut channel, &Message::Kept).await?;
        channel.finish().await;
        Ok(())
    }

    fn check_recovery(
        &self,
        channel: &PairedChannel,
        invited: &Invited,
        accept: &Accept,
    ) -> Result<(), String> {
        self.check_claim(channel, accept)?;
        let Invited::Recovering(user) = invited else { return Err(unexpected()) };
        let member = self.kept.logs.members().users.into_iter().find(|keys| keys.id() == *user);
        let member = member.ok_or("no such user belongs to the drive")?;
        let own = super::driver::peer_key(&self.device.public());
        let said = recovery_statement(&own.0, &channel.peer().0, &self.kept.workspace);
        let proof = accept.proof.as_ref().ok_or("the user's signature is missing")?;
        member.signing.verify(&said, &proof.signature).map_err(|error| error.to_string())
    }
}

impl Inviter {
    /// What one who proved this invitation's secret is granted; a code is then used up.
    fn granted(&self, selector: Selector) -> Option<Invited> {
        let used = self.book.lock().take_used(selector);
        used.map(|(_, open)| open.grants).or_else(|| self.recovering(selector).map(Invited::Recovering))
    }

    /// The member whose recovery this selects.
    fn recovering(&self, selector: Selector) -> Option<UserId> {
        let users = self.kept.logs.members().users;
        let mut ids = users.iter().map(ledger::keys::UserPublicKeys::id);
        ids.find(|user| recovery_secret(user).selector() == selector)
    }
}

impl Invitations for Inviter {
    fn secret(&self, selector: Selector) -> Option<Secret> {
        let open = self.book.lock().secret(selector, unix_s(SystemTime::now()));
        open.or_else(|| self.recovering(selector).map(|user| recovery_secret(&user)))
    }

    fn tried(&self, selector: Selector, right: bool) {
        self.book.lock().tried(selector, right);
    }
}

/// A short number that no open code has. By chance, so that two who invite on one network seldom have the same.
fn short_number(book: &Book<Invited>, now: u64) -> u16 {
    let mut byte = [0];
    for _ in 0..NUMBER_TRIES {
        entropy::fill(&mut byte);
        let number = 1 + u16::from(byte[0]) % 99;
        if book.open(now).all(|(_, open)| open.secret.selector() != Selector::Code(number)) {
            return number;
        }
    }
    book.free_number()
}

fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// What opens the channel for a user who recovers. It is no secret from those who know the user: his signature is what counts.
pub fn recovery_secret(user: &UserId) -> Secret {
    let hash = blake3::derive_key("peerdrive 2026 recovery pairing v1", user.as_bytes());
    let (half, _) = hash.split_first_chunk().expect("a hash is longer");
    Secret::Ticket(*half)
}

fn shortened(name: &str, else_: &str) -> String {
    let clean: String = name.chars().filter(|c| !c.is_control()).collect();
    let mut end = clean.len().min(NAME_MAX_BYTES);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    let short = clean[..end].trim();
    if short.is_empty() { else_.into() } else { short.into() }
}

/// # Errors
/// In words.
pub async fn send(channel: &mut PairedChannel, message: &Message) -> Result<(), String> {
    let sent = tokio::time::timeout(PATIENCE, channel.send(&message.encode())).await;
    sent.map_err(|_| silent())?.map_err(|error| error.to_string())
}

/// # Errors
/// In words; a refusal of the other side is one.
pub async fn receive(channel: &mut PairedChannel) -> Result<Message, String> {
    let came = tokio::time::timeout(PATIENCE, channel.recv()).await;
    let came = came.map_err(|_| silent())?.map_err(|error| error.to_string())?;
    match Message::decode(&came).map_err(|error| error.to_string())? {
        Message::Refused(why) => Err(why),
        message => Ok(message),
    }
}

async fn refuse(channel: &mut PairedChannel, why: String) -> Result<(), String> {
    send(channel, &Message::Refused(why.clone())).await?;
    Err(why)
}

fn silent() -> String {
    "the other computer does not answer any more".into()
}

pub fn unexpected() -> String {
    "the other computer said something else than was expected: update the older one".into()
}

/// A user's own name for himself: nobody is asked for one yet.
pub fn user_name(_user: &UserKeys) -> String {
    std::env::var("USER").unwrap_or_else(|_| "owner".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_made_harmless() {
        assert_eq!(shortened("  box\u{7}\n ", "x"), "box");
        assert_eq!(shortened("\n", "a computer"), "a computer");
        let long = "ä".repeat(100);
        assert_eq!(shortened(&long, "x").len(), 128);
    }
}
