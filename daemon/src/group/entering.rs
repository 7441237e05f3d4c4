//! The joiner's side of pairing: find the inviter, prove the code, put everything on disk.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use ledger::identity::UserId;
use ledger::keys::{DeviceKey, UserKeys};
use ledger::roster::{DeviceClaim, Role, Roster, RosterRecord};
use transport::{Code, Endpoint, PairedChannel, PairingError, PeerKey, Secret, Ticket, pair_as_joiner};
use ui::answers::Joined;
use ui::api::Refusal;
use zeroize::Zeroizing;

use super::inviting::{receive, recovery_secret, send, unexpected, user_name};
use super::messages::{Accept, Invited, Message, Offer, Proof, Welcome, recovery_statement};
use super::peers_file::{Kept, KeptPeer, PeersFile};
use super::sightings::Sightings;
use crate::data_folder::DataFolder;
use crate::drive;
use crate::entropy;
use crate::joining::Joining;

/// How long the network is looked at for the one who invited.
const LOOK: Duration = Duration::from_secs(12);
/// How long the announcement of the code is waited for, before others are asked.
const ANNOUNCED_WAIT: Duration = Duration::from_millis(1500);
/// Addresses tried for one code.
const TRIED_MAX: usize = 64;
/// What a ticket begins with.
const TICKET_PREFIX: &str = "pdt1";
/// Records of a roster taken over at most, bytes.
const RECORDS_MAX_BYTES: usize = 64 << 20;

/// What the joiner needs.
pub struct Joiner {
    pub folder: DataFolder,
    pub device: DeviceKey,
    pub user: UserKeys,
    pub name: String,
    pub endpoint: Endpoint,
    pub sightings: Sightings,
}

/// What is joined with.
pub enum With {
    Code(Code),
    Ticket(Ticket),
    Phrase(Box<UserKeys>),
}

impl With {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`Refusal`]: it is neither, and what is wrong with it.
    pub fn read(code: Option<&str>, phrase: Option<&str>) -> Result<Self, Refusal> {
        let refused = |why: String| Refusal::Refused(why);
        match (code, phrase) {
            (Some(text), None) if text.trim().to_ascii_lowercase().starts_with(TICKET_PREFIX) => {
                let ticket: Ticket = text.parse().map_err(|error| refused(format!("{error}")))?;
                let now =
                    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
                if ticket.expires_unix_s < now {
                    return Err(refused(
                        "this ticket has expired: `peerdrive invite --ticket` prints a new one".into(),
                    ));
                }
                Ok(Self::Ticket(ticket))
            }
            (Some(text), None) => {
                text.parse().map(Self::Code).map_err(|error: transport::CodeError| refused(error.to_string()))
            }
            (None, Some(words)) => {
                let user =
                    UserKeys::from_recovery_phrase(words).map_err(|error| refused(error.to_string()))?;
                Ok(Self::Phrase(Box::new(user)))
            }
            _ => Err(refused("give a code, a ticket or the recovery phrase".into())),
        }
    }
}

impl Joiner {
    /// Joins; afterwards all is prepared on disk.
    ///
    /// # Errors
    /// [`Refusal`], with nothing changed.
    pub async fn join(&self, with: &With, at: Option<SocketAddr>) -> Result<Joined, Refusal> {
        let refused = |why: String| Refusal::Refused(why);
        match with {
            With::Code(code) => {
                let secret = Secret::Code(code.clone());
                let channel = self.find(code.number(), at, &secret).await?;
                self.enter(channel, None).await.map_err(refused)
            }
            With::Ticket(ticket) => {
                let addresses: Vec<_> = at.into_iter().chain(ticket.addresses.iter().copied()).collect();
                let secret = Secret::Ticket(ticket.secret);
                let channel = self.try_each(&addresses, &secret, Some(ticket.key)).await?;
                self.enter(channel, None).await.map_err(refused)
            }
            With::Phrase(user) => {
                let at = at.ok_or_else(|| refused("say with --peer where a host of the drive is".into()))?;
                let channel = self.try_each(&[at], &recovery_secret(&user.id()), None).await?;
                self.enter(channel, Some(user)).await.map_err(refused)
            }
        }
    }

    /// The one who has this code open, found on the network unless it is known where.
    ///
    /// Those who announce this number are asked first. An announcement may be late or lost, so then everybody seen is: who has no
    /// such invitation says so and learns nothing.
    async fn find(
        &self,
        number: u16,
        at: Option<SocketAddr>,
        secret: &Secret,
    ) -> Result<PairedChannel, Refusal> {
        if let Some(at) = at {
            return self.try_each(&[at], secret, None).await;
        }
        if !self.sightings.is_looking() {
            let told =
                "discovery is off, so nobody can be found: say with --peer where the other computer is";
            return Err(Refusal::Refused(told.into()));
        }
        let deadline = tokio::time::Instant::now() + LOOK;
        let announced = self.sightings.with_invitation(number, ANNOUNCED_WAIT).await.unwrap_or_default();
        let mut wrong = None;
        let mut tried = BTreeSet::new();
        let mut next = announced;
        loop {
            let new: Vec<SocketAddr> = next.into_iter().filter(|address| tried.insert(*address)).collect();
            match self.try_each(&new, secret, None).await {
                Ok(channel) => return Ok(channel),
                Err(Refusal::Secret(why)) => wrong = Some(why),
                Err(_) => {}
            }
            if tried.len() >= TRIED_MAX {
                break;
            }
            let Some(more) = self.sightings.others_than(&tried, deadline).await else { break };
            next = more;
        }
        Err(wrong.map_or_else(|| nobody(number), Refusal::Secret))
    }

    async fn try_each(
        &self,
        addresses: &[SocketAddr],
        secret: &Secret,
        key: Option<PeerKey>,
    ) -> Result<PairedChannel, Refusal> {
        let mut last = Refusal::Refused(
            "there is no address to try: say with --peer where the other computer is".into(),
        );
        for address in addresses {
            let called = match key {
                Some(key) => self.endpoint.connect_to_pair_with(*address, key).await,
                None => self.endpoint.connect_to_pair(*address).await,
            };
            let paired = match called {
                Ok(link) => pair_as_joiner(link, secret).await,
                Err(error) => {
                    let told = format!(
                        "{address} does not answer ({error}): check that the other daemon runs, and its address"
                    );
                    last = keep_wrong(last, Refusal::Refused(told));
                    continue;
                }
            };
            match paired {
                Ok(channel) => return Ok(channel),
                // Another computer may have a code of this number, too.
                Err(error @ PairingError::WrongCode) => last = Refusal::Secret(error.to_string()),
                Err(error) => last = keep_wrong(last, Refusal::Refused(error.to_string())),
            }
        }
        Err(last)
    }

    async fn enter(
        &self,
        mut channel: PairedChannel,
        recovering: Option<&UserKeys>,
    ) -> Result<Joined, String> {
        let Message::Offer(offer) = receive(&mut channel).await? else { return Err(unexpected()) };
        let user_id = match (&offer.invited, recovering) {
            (Invited::Device(user), None) => *user,
            (Invited::Person(_), None) => self.user.id(),
            (Invited::Recovering(user), Some(keys)) if *user == keys.id() => *user,
            _ => return Err(unexpected()),
        };
        let accept = self.accept(&channel, &offer, user_id, recovering);
        send(&mut channel, &Message::Accept(accept)).await?;
        let (records, mut welcome) = receive_all(&mut channel).await?;
        let user = self.user_of(&mut welcome, &offer, recovering)?;
        let prepared = Prepared::new(self, &offer, user, records, &welcome)?;
        let joining = prepared.write(self)?;
        if recovering.is_some() {
            // The host must know the device before it goes on as a member.
            send(&mut channel, &Message::Records(vec![prepared.own_record.clone().unwrap_or_default()]))
                .await?;
            let Message::Kept = receive(&mut channel).await? else { return Err(unexpected()) };
            joining.ready(offer.workspace).map_err(|error| error.to_string())?;
        } else {
            joining.ready(offer.workspace).map_err(|error| error.to_string())?;
            send(&mut channel, &Message::Kept).await?;
        }
        // It is on disk: how the channel ends does not matter any more.
        channel.finish().await;
        Ok(prepared.joined(&offer, self))
    }

    fn accept(
        &self,
        channel: &PairedChannel,
        offer: &Offer,
        user: UserId,
        recovering: Option<&UserKeys>,
    ) -> Accept {
        let own = super::driver::peer_key(&self.device.public());
        let proof = recovering.map(|keys| {
            let said = recovery_statement(&channel.peer().0, &own.0, &offer.workspace);
            Proof { signature: keys.sign(&said) }
        });
        Accept {
            claim: DeviceClaim::new(&self.device, user, offer.workspace),
            user: recovering.map_or_else(|| self.user.public(), UserKeys::public),
            user_name: user_name(&self.user),
            device_name: self.name.clone(),
            proof,
        }
    }

    /// Whose device this is from now on.
    fn user_of(
        &self,
        welcome: &mut Welcome,
        offer: &Offer,
        recovering: Option<&UserKeys>,
    ) -> Result<UserKeys, String> {
        if let Some(keys) = recovering {
            return Ok(keys.clone());
        }
        let Invited::Device(user) = &offer.invited else { return Ok(self.user.clone()) };
        let file = Zeroizing::new(welcome.user_key.take().ok_or_else(unexpected)?);
        match ledger::keys::UserKeyFile::parse(&file) {
            Ok(ledger::keys::UserKeyFile::Open(keys)) if keys.id() == *user => Ok(keys),
            _ => Err("the user's keys did not come as they should: update the older computer".into()),
        }
    }
}

async fn receive_all(channel: &mut PairedChannel) -> Result<(Vec<Vec<u8>>, Welcome), String> {
    let (mut records, mut bytes) = (Vec::new(), 0);
    loop {
        match receive(channel).await? {
            Message::Records(some) => {
                bytes += some.iter().map(Vec::len).sum::<usize>();
                if bytes > RECORDS_MAX_BYTES {
                    return Err("the roster that came is larger than any can be".into());
                }
                records.extend(some);
            }
            Message::Welcome(welcome) => return Ok((records, welcome)),
            _ => return Err(unexpected()),
        }
    }
}

/// That the code was wrong somewhere says more than that somebody else did not answer.
fn keep_wrong(before: Refusal, now: Refusal) -> Refusal {
    if matches!(before, Refusal::Secret(_)) { before } else { now }
}

fn nobody(number: u16) -> Refusal {
    Refusal::Refused(format!(
        "no computer on this network has a code that begins with {number}: check the code, that it is not older than ten minutes, and \
         that both are on one network; or say with --peer where the other one is"
    ))
}

/// What goes on disk.
struct Prepared {
    user: UserKeys,
    replaces_user: bool,
    keyring: Option<ledger::keys::Keyring>,
    records: Vec<Vec<u8>>,
    own_record: Option<Vec<u8>>,
    facts: Vec<Vec<u8>>,
    name: String,
    offer_workspace: ledger::identity::WorkspaceId,
    role: Role,
}

impl Prepared {
    fn new(
        joiner: &Joiner,
        offer: &Offer,
        user: UserKeys,
        mut records: Vec<Vec<u8>>,
        welcome: &Welcome,
    ) -> Result<Self, String> {
        let mut roster = Roster::new(offer.workspace);
        for record in &records {
            let record = RosterRecord::parse(record)
                .map_err(|error| format!("the roster that came is damaged: {error}"))?;
            roster.apply(record).map_err(|error| format!("the roster that came is not sound: {error}"))?;
        }
        let recovers = matches!(offer.invited, Invited::Recovering(_));
        let keyring = match &welcome.keyring {
            Some(sealed) => {
                Some(ledger::keys::Keyring::unseal(&user, sealed).map_err(|error| error.to_string())?)
            }
            None => roster.recover_keyring(&user, &mut entropy::fill),
        };
        let mut own_record = None;
        if recovers && let Some(keyring) = &keyring {
            let claim = DeviceClaim::new(&joiner.device, user.id(), offer.workspace);
            let record =
                roster.add_device(&user, keyring, claim, &joiner.name).map_err(|error| error.to_string())?;
            records.push(record.as_bytes().to_vec());
            own_record = Some(record.as_bytes().to_vec());
        }
        let role = roster.role_of(&user.id()).ok_or("the roster that came does not name this user")?;
        if role.holds_keys() && keyring.is_none() {
            return Err("the keys of the drive did not come".into());
        }
        if roster.device_by_id(&joiner.device.id()).is_none_or(|device| device.role.is_none()) {
            return Err("the roster that came does not name this device".into());
        }
        let keyring = keyring.filter(|_| role.holds_keys());
        let name = keyring.as_ref().and_then(|keyring| roster.workspace_name(keyring));
        Ok(Self {
            replaces_user: user.id() != joiner.user.id(),
            user,
            keyring,
            records,
            own_record,
            facts: welcome.facts.clone(),
            name: name.unwrap_or_else(|| "drive".into()),
            offer_workspace: offer.workspace,
            role,
        })
    }

    fn write(&self, joiner: &Joiner) -> Result<Joining, String> {
        let joining = Joining::begin(&joiner.folder).map_err(|error| error.to_string())?;
        if self.replaces_user {
            joining.user_key(&self.user.to_open_file()).map_err(|error| error.to_string())?;
        }
        let folder = joining.workspace();
        match &self.keyring {
            Some(keyring) => {
                crate::identity::write_keyring(&folder, keyring, &self.user)
                    .map_err(|error| error.to_string())?;
                drive::prepare_joined(
                    &folder,
                    &joiner.device,
                    &self.user,
                    keyring,
                    &self.name,
                    &self.records,
                )?;
            }
            None => drive::prepare_host(&folder, self.offer_workspace, &self.records)?,
        }
        let peers = self.facts.iter().map(|facts| KeptPeer { facts: facts.clone(), ..KeptPeer::default() });
        PeersFile::in_folder(&folder).write(&Kept { placed_for: None, peers: peers.collect() });
        Ok(joining)
    }

    fn joined(&self, offer: &Offer, joiner: &Joiner) -> Joined {
        let _ = joiner;
        Joined {
            workspace: offer.workspace.to_text(),
            name: self.keyring.is_some().then(|| self.name.clone()),
            role: self.role.word().into(),
            by: offer.by.to_text(),
        }
    }
}
