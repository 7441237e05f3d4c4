//! The roster as its users see it: roles, keys, hostile records, any order.

use proptest::prelude::*;

use super::record::{Action, Membership};
use super::*;
use crate::identity::DeviceTag;
use crate::keys::{DeviceKey, test_entropy};

fn user(seed: u8) -> UserKeys {
    UserKeys::generate(&mut test_entropy(seed))
}

fn device(seed: u8) -> DeviceKey {
    DeviceKey::generate(&mut test_entropy(100 + seed))
}

/// A workspace founded by user 1 with device 1.
struct Workspace {
    roster: Roster,
    keyring: Keyring,
    records: Vec<RosterRecord>,
}

impl Workspace {
    fn new() -> Self {
        let keyring = Keyring::generate(&user(1).id(), &mut test_entropy(50));
        let names = FoundingNames { workspace: "drive", user: "Anna", device: "laptop" };
        let (roster, records) = Roster::found(&user(1), &device(1), &keyring, names).unwrap();
        Self { roster, keyring, records }
    }

    fn with(members: &[(u8, Role)]) -> Self {
        let mut workspace = Self::new();
        for (seed, role) in members {
            workspace.add_user(1, *seed, *role).unwrap();
            workspace.add_device(*seed, *seed).unwrap();
        }
        workspace
    }

    fn add_user(&mut self, by: u8, seed: u8, role: Role) -> Result<(), RosterError> {
        let made = self.roster.add_user(&user(by), &self.keyring, &user(seed).public(), role, "somebody")?;
        self.records.extend(made);
        Ok(())
    }

    fn add_device(&mut self, by: u8, owner: u8) -> Result<(), RosterError> {
        let claim = DeviceClaim::new(&device(owner), user(owner).id(), self.keyring.workspace);
        self.records.push(self.roster.add_device(&user(by), &self.keyring, claim, "box")?);
        Ok(())
    }

    fn set_role(&mut self, by: u8, seed: u8, role: Role) -> Result<(), RosterError> {
        let (id, entropy) = (user(seed).id(), &mut test_entropy(60 + seed));
        let made = self.roster.set_role(&user(by), &mut self.keyring, &id, role, cut(seed, 7), entropy)?;
        self.records.extend(made);
        Ok(())
    }

    fn remove(&mut self, by: u8, seed: u8) -> Result<(), RosterError> {
        let (id, entropy) = (user(seed).id(), &mut test_entropy(70 + by));
        let made = self.roster.remove_user(&user(by), &mut self.keyring, &id, cut(seed, 5), entropy)?;
        self.records.extend(made);
        Ok(())
    }

    fn decide(&mut self, by: u8, target: u8) -> Result<(), RosterError> {
        let policy = Policy { copies: Copies::wanting(target), fsync: FsyncLevel::Local };
        self.records.push(self.roster.set_policy(&user(by), policy)?);
        Ok(())
    }

    /// Another device's copy, that goes its own way from here.
    fn fork(&self) -> Self {
        Self { roster: self.roster.clone(), keyring: self.keyring.clone(), records: self.records.clone() }
    }

    fn role(&self, seed: u8) -> Option<Role> {
        self.roster.role_of(&user(seed).id())
    }

    fn tag(&self, seed: u8) -> DeviceTag {
        device(seed).id().tag()
    }
}

fn cut(seed: u8, accepted_through: u64) -> Vec<Cut> {
    vec![Cut { device: device(seed).id(), accepted_through }]
}

fn rebuilt<'a>(records: impl IntoIterator<Item = &'a RosterRecord>) -> Roster {
    let mut records = records.into_iter().peekable();
    let mut roster = Roster::new(records.peek().unwrap().workspace());
    for record in records {
        roster.apply(RosterRecord::parse(record.as_bytes()).unwrap()).unwrap();
    }
    roster
}

fn merged(one: &Workspace, other: &Workspace) -> Roster {
    let there = rebuilt(one.records.iter().chain(&other.records));
    let back = rebuilt(other.records.iter().chain(&one.records));
    assert_same(&there, &back);
    there
}

fn assert_same(one: &Roster, other: &Roster) {
    assert_eq!(one.digest(), other.digest());
    assert!(one.view == other.view, "the same records give the same roster");
    let anew = View::of(&one.graph, &Bits::first(one.graph.nodes().len()));
    assert!(one.view == anew, "the view that is kept is the view of the records");
}

#[test]
fn a_new_workspace_has_an_owner_a_device_and_a_key() {
    let Workspace { roster, keyring, records } = Workspace::new();
    assert_eq!(roster.role_of(&user(1).id()), Some(Role::Owner));
    let laptop = roster.device(device(1).id().tag()).unwrap();
    assert_eq!((laptop.id(), laptop.user, laptop.removed), (device(1).id(), user(1).id(), false));
    assert_eq!(laptop.name(&keyring).as_deref(), Some("laptop"));
    assert_eq!(roster.workspace_name(&keyring).as_deref(), Some("drive"));
    assert_eq!(roster.member(&user(1).id()).unwrap().name(&keyring).as_deref(), Some("Anna"));
    assert_eq!(roster.current_key(&keyring).unwrap().0, 1);
    assert!(roster.may_write(device(1).id().tag(), u64::MAX));
    assert!(!roster.epoch_due(&keyring.root_realm));
    assert_same(&roster, &rebuilt(&records));
}

#[test]
fn what_is_known_is_told_by_its_bytes_and_a_forged_one_is_not_known() {
    let workspace = Workspace::with(&[(2, Role::Writer)]);
    let mut without = Roster::new(workspace.keyring.workspace);
    for record in &workspace.records {
        assert!(workspace.roster.has(record.as_bytes()));
        assert!(!without.has(record.as_bytes()));
        let mut forged = record.as_bytes().to_vec();
        *forged.last_mut().unwrap() ^= 1;
        assert!(!workspace.roster.has(&forged), "another signature is looked at");
    }
    let last = workspace.records.last().unwrap();
    assert_eq!(without.apply(last.clone()).unwrap(), Applied::Held);
    assert!(without.has(last.as_bytes()), "it waits for its parents");
    assert!(!without.has(b""));
}

#[test]
fn bytes_are_fixed() {
    let mut workspace = Workspace::with(&[(2, Role::Writer)]);
    let removal = workspace.roster.remove_device(&user(1), device(2).id(), 300).unwrap();
    assert_eq!(
        data_encoding::HEXLOWER.encode(removal.as_bytes()),
        "5044726f0001a34baad1b97bf34f77a09827f0fc16e9015f0e987f8f57fac0a665447dea06decc573f9e3b63ba18a24cf47dddadfb94d87a92699d686637ce628f645a6d32013f20a957f619652695427b83d522c06d1157c8fa08e1963de2f199a263d7cb03f858031038793e6fd4faf6bae9adb626480389b61d4ee8d0ae6b8cc65b0059d8c1bd29c74e06d5519d5c4445cccea9480d00ac02d59b58f01ec0d17bc0f9834b3f24a6ad915793b435141d2903a9d8e408939523e99b4835e989277ffa07a0020b50db8217b249873d39713e65c112f606fec507"
    );
    workspace.remove(1, 2).unwrap();
    let mut all = blake3::Hasher::new();
    for record in &workspace.records {
        all.update(record.as_bytes());
    }
    assert_eq!(
        all.finalize().to_hex().as_str(),
        "85fed0f83456cff6b621d9e1f33ae367adc29bff5e630d17fdb50985fc0ce99c"
    );
}

#[test]
fn the_bytes_of_a_policy_are_fixed() {
    let mut workspace = Workspace::new();
    let policy = Policy { copies: Copies { min: 2, target: 3, max: 4 }, fsync: FsyncLevel::Replicas(2) };
    let record = workspace.roster.set_policy(&user(1), policy).unwrap();
    let bytes = record.as_bytes();
    assert_eq!(&bytes[..6], b"PDro\0\x02");
    let action_at = bytes.len() - 64 - 6;
    assert_eq!(bytes[action_at..bytes.len() - 64], [5, 2, 3, 4, 1, 2]);
    assert_eq!(
        blake3::hash(bytes).to_hex().as_str(),
        "dbfe0d8697ada2ccd83c6e3feb38860fd00dac5e4abba0e93d8649599ff172e0"
    );
    // What an earlier version could not have said is none of its records.
    let mut older = bytes.to_vec();
    older[5] = 1;
    assert!(RosterRecord::parse(&older).is_err());
}

#[test]
fn the_bytes_of_a_vouch_are_fixed() {
    let mut workspace = Workspace::with(&[(2, Role::Writer)]);
    let id = device(2).id();
    workspace.roster.remove_device(&user(1), id, 3).unwrap();
    let record = workspace.roster.vouch(&user(2), id, 300, Some([0xab; 32])).unwrap();
    let bytes = record.as_bytes();
    assert_eq!(&bytes[..6], b"PDro\0\x03");
    let action = [&[6], &id.as_bytes()[..], &[0xac, 2, 1], &[0xab; 32]].concat();
    assert_eq!(bytes[bytes.len() - 64 - action.len()..bytes.len() - 64], action);
    assert_eq!(
        blake3::hash(bytes).to_hex().as_str(),
        "841e8e38dd8c054625565bf4cde6345f8a3c178a4df945bc9e205c57db546d50"
    );
    for version in [1, 2] {
        let mut older = bytes.to_vec();
        older[5] = version;
        assert!(RosterRecord::parse(&older).is_err());
    }
}

#[test]
fn who_may_write_vouches_for_what_was_here_and_all_of_it_counts_together() {
    let mut workspace =
        Workspace::with(&[(2, Role::Writer), (3, Role::Writer), (4, Role::Reader), (5, Role::Host)]);
    let (id, tag) = (device(2).id(), workspace.tag(2));
    let all = [1; 32];
    let vouch = |workspace: &mut Workspace, by: u8, through: u64, outline: Option<[u8; 32]>| {
        let made = workspace.roster.vouch(&user(by), id, through, outline);
        made.map(|record| workspace.records.push(record))
    };
    assert_eq!(vouch(&mut workspace, 3, 9, None), Err(RosterError::NothingToVouchFor), "it may write");
    workspace.records.push(workspace.roster.remove_device(&user(1), id, 5).unwrap());
    for by in [4, 5, 6] {
        let refused = vouch(&mut workspace, by, 9, None);
        assert_eq!(refused, Err(RosterError::NotAllowed { needed: "writer" }), "{by}");
    }
    let (mut here, mut there) = (workspace.fork(), workspace.fork());
    vouch(&mut here, 1, 7, Some(all)).unwrap();
    vouch(&mut there, 3, 9, None).unwrap();
    assert_eq!(vouch(&mut there, 1, 8, None), Err(RosterError::NothingToVouchFor));
    let roster = merged(&here, &there);
    assert!(roster.may_write(tag, 9) && !roster.may_write(tag, 10));
    let device = roster.device(tag).unwrap();
    assert!(device.may_declare(&all) && !device.may_declare(&[2; 32]));
    // Who is removed at the same time has no say.
    workspace.remove(1, 3).unwrap();
    assert!(!merged(&workspace, &there).may_write(tag, 8));
}

#[test]
fn those_in_charge_decide_about_copies_and_hosts_read_it() {
    let mut workspace = Workspace::with(&[(2, Role::Admin), (3, Role::Writer), (4, Role::Host)]);
    assert_eq!((workspace.roster.decided_policy(), workspace.roster.policy()), (None, Policy::default()));
    workspace.decide(1, 5).unwrap();
    workspace.decide(2, 4).unwrap();
    for seed in [3, 4] {
        assert!(matches!(workspace.decide(seed, 2), Err(RosterError::NotAllowed { .. })));
    }
    // A host has the records and no keys.
    assert_eq!(rebuilt(&workspace.records).policy().copies, Copies::wanting(4));
}

#[test]
fn of_two_decisions_at_once_all_read_the_same_one_and_a_later_one_holds() {
    let mut here = Workspace::with(&[(2, Role::Admin)]);
    let mut there = here.fork();
    here.decide(1, 2).unwrap();
    there.decide(2, 4).unwrap();
    let both = merged(&here, &there).policy().copies.target;
    assert!([2, 4].contains(&both));
    exchange(&mut here, &mut there);
    here.decide(1, 6).unwrap();
    assert_eq!(merged(&here, &there).policy().copies.target, 6);
}

#[test]
fn a_removed_admins_decision_at_the_same_time_does_not_count() {
    let mut here = Workspace::with(&[(2, Role::Admin)]);
    let mut there = here.fork();
    here.remove(1, 2).unwrap();
    there.decide(2, 8).unwrap();
    assert_eq!(merged(&here, &there).decided_policy(), None);
}

#[test]
fn numbers_that_do_not_fit_together_are_refused() {
    let mut workspace = Workspace::new();
    let policy = |min, target, max, fsync| Policy { copies: Copies { min, target, max }, fsync };
    for (wrong, why) in [
        (policy(1, 3, 3, FsyncLevel::Local), PolicyError::Copies),
        (policy(3, 2, 3, FsyncLevel::Local), PolicyError::Copies),
        (policy(2, 4, 3, FsyncLevel::Local), PolicyError::Copies),
        (policy(2, 3, 9, FsyncLevel::Local), PolicyError::Copies),
        (policy(2, 3, 3, FsyncLevel::Replicas(1)), PolicyError::Replicas),
        (policy(2, 3, 8, FsyncLevel::Replicas(4)), PolicyError::Replicas),
    ] {
        assert_eq!(workspace.roster.set_policy(&user(1), wrong), Err(RosterError::Policy(why)), "{wrong:?}");
        let parents = workspace.roster.graph.parents_for_new();
        let signed =
            RosterRecord::sign(&user(1), workspace.keyring.workspace, parents, Action::Policy(wrong));
        assert_eq!(signed, Err(RosterError::Malformed), "{wrong:?}");
    }
    for target in COPIES_MIN..=COPIES_MAX {
        workspace.decide(1, target).unwrap();
    }
}

#[test]
fn levels_of_an_fsync_read_back() {
    for level in [FsyncLevel::Local, FsyncLevel::Replicas(2), FsyncLevel::Replicas(8)] {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
    for wrong in
        ["", "Local", "replicas", "replicas()", "replicas(1)", "replicas(9)", "replicas(2", "replicas(-2)"]
    {
        assert_eq!(wrong.parse::<FsyncLevel>(), Err(PolicyError::Level), "{wrong}");
    }
}

#[test]
fn names_stay_hidden_from_those_without_keys() {
    let workspace = Workspace::new();
    let stranger = Keyring::generate(&user(9).id(), &mut test_entropy(9));
    assert_eq!(workspace.roster.workspace_name(&stranger), None);
    for record in &workspace.records {
        let bytes = record.as_bytes();
        assert!(!bytes.windows(4).any(|window| window == b"Anna" || window == b"driv" || window == b"lapt"));
    }
}

#[test]
fn the_recovery_phrase_and_the_roster_give_the_keyring_back() {
    let mut workspace = Workspace::with(&[(2, Role::Writer)]);
    workspace.remove(1, 2).unwrap();
    let again = UserKeys::from_recovery_phrase(&user(1).recovery_phrase()).ok().unwrap();
    let keyring = workspace.roster.recover_keyring(&again, &mut test_entropy(5)).unwrap();
    assert_eq!(keyring.dedup_secret, workspace.keyring.dedup_secret);
    assert_eq!(keyring.epochs.len(), 2);
    assert_eq!(workspace.roster.current_key(&keyring).unwrap().0, 2);
    assert!(workspace.roster.recover_keyring(&user(9), &mut test_entropy(5)).is_none());
}

#[test]
fn a_removed_member_gets_no_new_key_and_those_who_remain_do() {
    let mut workspace = Workspace::with(&[(2, Role::Writer), (3, Role::Reader), (4, Role::Host)]);
    workspace.remove(1, 2).unwrap();
    let epochs = |seed| {
        workspace.roster.open_epochs(&user(seed)).iter().map(|opened| opened.epoch).collect::<Vec<_>>()
    };
    assert_eq!((epochs(1), epochs(2), epochs(3), epochs(4)), (vec![1, 2], vec![1], vec![1, 2], vec![]));
    assert_eq!(workspace.roster.current_epoch(&workspace.keyring.root_realm), Some(2));
    assert_eq!(workspace.role(2), None);
    let removed = workspace.roster.device(workspace.tag(2)).unwrap();
    assert!(removed.removed);
    assert_eq!(removed.writes, WriteRight::Through(5));
    assert!(workspace.roster.may_write(workspace.tag(2), 5));
    assert!(!workspace.roster.may_write(workspace.tag(2), 6));
    assert!(workspace.roster.may_write(workspace.tag(1), 6));
    let mut mine = Workspace::new().keyring;
    assert!(workspace.roster.update_keyring(&user(3), &mut mine));
    assert_eq!(workspace.roster.current_key(&mine).unwrap().0, 2);
}

#[test]
fn readers_and_hosts_do_not_write_and_may_again_when_promoted() {
    let mut workspace = Workspace::with(&[(2, Role::Writer), (3, Role::Reader)]);
    assert!(!workspace.roster.may_write(workspace.tag(3), 1));
    workspace.set_role(1, 2, Role::Reader).unwrap();
    assert!(workspace.roster.may_write(workspace.tag(2), 7));
    assert!(!workspace.roster.may_write(workspace.tag(2), 8));
    workspace.set_role(1, 2, Role::Writer).unwrap();
    assert!(workspace.roster.may_write(workspace.tag(2), 8));
    assert_eq!(workspace.roster.current_epoch(&workspace.keyring.root_realm), Some(1));
    workspace.set_role(1, 2, Role::Host).unwrap();
    assert_eq!(workspace.roster.current_epoch(&workspace.keyring.root_realm), Some(2));
}

#[test]
fn a_removed_device_is_cut_and_can_come_back() {
    let mut workspace = Workspace::with(&[(2, Role::Writer)]);
    workspace.roster.remove_device(&user(2), device(2).id(), 3).unwrap();
    assert_eq!(workspace.roster.device(workspace.tag(2)).unwrap().writes, WriteRight::Through(3));
    assert_eq!(workspace.role(2), Some(Role::Writer));
    workspace.add_device(2, 2).unwrap();
    assert_eq!(workspace.roster.device(workspace.tag(2)).unwrap().writes, WriteRight::All);
}

#[test]
fn epochs_are_numbered_without_gaps() {
    let mut workspace = Workspace::with(&[(2, Role::Admin)]);
    let (realm, key) = (workspace.keyring.root_realm, EpochKey::from_bytes([1; 32]));
    let id = workspace.keyring.workspace;
    let mut outcome = |epoch| {
        let grant = grant::Grant::epoch(&user(2), &user(2).public(), &id, realm, (epoch, &key)).unwrap();
        let parents = workspace.roster.graph.parents_for_new();
        let record = RosterRecord::sign(&user(2), id, parents, Action::Grant(vec![grant])).unwrap();
        workspace.roster.apply(record)
    };
    assert_eq!(outcome(u32::MAX), Err(RosterError::EpochSkips));
    assert_eq!(outcome(3), Err(RosterError::EpochSkips));
    assert_eq!(outcome(2), Ok(Applied::Added));
    let current = workspace.roster.current_key(&workspace.keyring).unwrap();
    assert_eq!(current.0, 1, "a key that only its maker has is not written under");
}

#[test]
fn a_second_founding_changes_nothing() {
    let mut workspace = Workspace::with(&[(2, Role::Owner)]);
    let names = FoundingNames { workspace: "mine again", user: "Anna", device: "laptop" };
    let (_, records) = Roster::found(&user(1), &device(1), &workspace.keyring, names).unwrap();
    workspace.remove(2, 1).unwrap();
    for record in records {
        let _refused_or_not = workspace.roster.apply(record);
    }
    assert_eq!(workspace.roster.workspace_name(&workspace.keyring).as_deref(), Some("drive"));
    assert_eq!(workspace.role(1), None);
}

#[test]
fn members_cannot_fill_the_roster_against_their_admins() {
    let mut workspace = Workspace::with(&[(2, Role::Writer)]);
    let mut outcome = Ok(());
    while outcome.is_ok() {
        let claim = DeviceClaim::new(&device(2), user(2).id(), workspace.keyring.workspace);
        outcome = workspace.roster.add_device(&user(2), &workspace.keyring, claim, "box").map(|_| ());
    }
    assert_eq!(outcome, Err(RosterError::Full));
    workspace.remove(1, 2).unwrap();
}

#[test]
fn nobody_acts_beyond_his_role() {
    let mut workspace = Workspace::with(&[(2, Role::Admin), (3, Role::Writer), (4, Role::Admin)]);
    let before = workspace.roster.digest();
    let not_allowed = |outcome| matches!(outcome, Err(RosterError::NotAllowed { .. }));
    assert!(not_allowed(workspace.add_user(3, 5, Role::Host)), "a writer adds nobody");
    assert!(not_allowed(workspace.set_role(3, 3, Role::Admin)), "a writer does not rise by himself");
    assert!(not_allowed(workspace.set_role(3, 4, Role::Reader)), "a writer demotes no admin");
    assert!(not_allowed(workspace.set_role(2, 2, Role::Owner)), "an admin does not rise by himself");
    assert!(not_allowed(workspace.set_role(2, 3, Role::Admin)), "an admin makes no admins");
    assert!(not_allowed(workspace.remove(2, 4)), "an admin removes no admins");
    assert!(not_allowed(workspace.remove(2, 1)), "an admin removes no owners");
    assert!(not_allowed(workspace.add_user(9, 9, Role::Writer)), "a stranger adds nobody");
    assert!(not_allowed(workspace.add_device(3, 2)), "a writer adds no device to an admin");
    let entropy = &mut test_entropy(1);
    let epoch = workspace.roster.new_epoch(&user(3), &mut workspace.keyring, entropy).map(|_| ());
    assert!(not_allowed(epoch), "a writer makes no epoch");
    let device_gone = workspace.roster.remove_device(&user(3), device(1).id(), 0).map(|_| ());
    assert!(not_allowed(device_gone), "a writer removes no device of an owner");
    assert_eq!(workspace.roster.digest(), before);
    assert_eq!(workspace.keyring.epochs.len(), 1);
    workspace.add_user(2, 5, Role::Reader).unwrap();
    workspace.remove(2, 3).unwrap();
}

#[test]
fn the_last_owner_stays() {
    let mut workspace = Workspace::with(&[(2, Role::Writer)]);
    assert_eq!(workspace.remove(1, 1), Err(RosterError::LastOwner));
    assert_eq!(workspace.set_role(1, 1, Role::Admin), Err(RosterError::LastOwner));
    workspace.set_role(1, 2, Role::Owner).unwrap();
    workspace.remove(1, 1).unwrap();
    assert_eq!((workspace.role(1), workspace.role(2)), (None, Some(Role::Owner)));
    assert!(workspace.roster.epoch_due(&workspace.keyring.root_realm), "who leaves cannot make the next key");
    workspace.roster.new_epoch(&user(2), &mut workspace.keyring, &mut test_entropy(8)).unwrap();
    assert!(!workspace.roster.epoch_due(&workspace.keyring.root_realm));
}

#[test]
fn a_forged_or_changed_record_is_refused() {
    let workspace = Workspace::new();
    for record in &workspace.records {
        for at in 0..record.as_bytes().len() {
            let mut bytes = record.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert!(RosterRecord::parse(&bytes).is_err(), "byte {at}");
            assert!(RosterRecord::parse(&record.as_bytes()[..at]).is_err(), "length {at}");
        }
        let longer = [record.as_bytes(), &[0]].concat();
        assert!(RosterRecord::parse(&longer).is_err());
    }
}

#[test]
fn a_newer_record_is_told_apart() {
    let mut bytes = Workspace::new().records[0].as_bytes().to_vec();
    bytes[5] = 4;
    assert_eq!(RosterRecord::parse(&bytes), Err(RosterError::NewerVersion { found: 4, supported: 3 }));
}

#[test]
fn nobody_else_can_found_the_workspace() {
    let workspace = Workspace::new();
    let names = FoundingNames { workspace: "mine now", user: "Mallory", device: "box" };
    let found = Roster::found(&user(9), &device(9), &workspace.keyring, names).err();
    assert_eq!(found, Some(RosterError::WrongKeyring));
    let mut other = Keyring::generate(&user(9).id(), &mut test_entropy(9));
    let (_, records) = Roster::found(&user(9), &device(9), &other, names).unwrap();
    assert_eq!(workspace.roster.clone().apply(records[0].clone()), Err(RosterError::OtherWorkspace));
    other.workspace = workspace.keyring.workspace;
    assert!(Roster::found(&user(9), &device(9), &other, names).is_err());
}

#[test]
fn a_device_cannot_be_claimed_without_its_key() {
    let mut workspace = Workspace::with(&[(2, Role::Writer)]);
    let honest = DeviceClaim::new(&device(1), user(1).id(), workspace.keyring.workspace);
    let stolen = DeviceClaim { user: user(2).id(), ..honest };
    let found = workspace.roster.add_device(&user(2), &workspace.keyring, stolen, "box").err();
    assert_eq!(found, Some(RosterError::InvalidSignature));
    let elsewhere = DeviceClaim::new(&device(5), user(2).id(), WorkspaceId::from_bytes([0; 16]));
    let found = workspace.roster.add_device(&user(2), &workspace.keyring, elsewhere, "box").err();
    assert_eq!(found, Some(RosterError::InvalidSignature));
}

#[test]
fn records_of_an_unknown_signer_wait_for_what_makes_him_known() {
    let workspace = Workspace::with(&[(2, Role::Admin)]);
    let mut theirs = workspace.fork();
    theirs.add_user(2, 3, Role::Writer).unwrap();
    let mut roster = Roster::new(workspace.keyring.workspace);
    for record in theirs.records.iter().rev().take(theirs.records.len() - 1) {
        assert_eq!(roster.apply(record.clone()), Ok(Applied::Held));
        assert_eq!(roster.apply(record.clone()), Ok(Applied::Duplicate));
    }
    assert_eq!(roster.members().count(), 0);
    assert_eq!(roster.apply(theirs.records[0].clone()), Ok(Applied::Added));
    assert_eq!(roster.held(), 0);
    assert_same(&roster, &theirs.roster);
}

#[test]
fn an_escalation_that_was_held_is_refused_when_its_past_comes() {
    let workspace = Workspace::with(&[(2, Role::Writer)]);
    let rise = Membership { user: user(2).public(), role: Some(Role::Owner), name: None, cuts: Vec::new() };
    let last = workspace.records.last().unwrap();
    let parents = vec![last.hash()];
    let forged =
        RosterRecord::sign(&user(2), workspace.keyring.workspace, parents, Action::Member(rise)).unwrap();
    let mut early = Roster::new(workspace.keyring.workspace);
    assert_eq!(early.apply(forged.clone()), Ok(Applied::Held));
    for record in &workspace.records {
        early.apply(record.clone()).unwrap();
    }
    assert_eq!((early.held(), early.refused_after_holding()), (0, 1));
    let mut late = workspace.roster.clone();
    assert!(matches!(late.apply(forged), Err(RosterError::NotAllowed { needed: "owner" })));
    assert_same(&early, &late);
}

#[test]
fn held_records_are_bounded() {
    let mut workspace = Workspace::new();
    let mut roster = Roster::new(workspace.keyring.workspace);
    let mut outcomes = Vec::new();
    for n in 0..=Roster::MAX_HELD_RECORDS as u64 {
        let record = workspace.roster.remove_device(&user(1), device(1).id(), n).unwrap();
        outcomes.push(roster.apply(record));
    }
    assert_eq!(outcomes.pop(), Some(Err(RosterError::TooManyHeld)));
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(Applied::Held)));
}

#[test]
fn who_is_removed_cannot_act_at_the_same_time() {
    let workspace = Workspace::with(&[(2, Role::Admin)]);
    let (mut here, mut there) = (workspace.fork(), workspace.fork());
    here.remove(1, 2).unwrap();
    there.add_user(2, 9, Role::Writer).unwrap();
    there.add_device(9, 9).unwrap();
    let roster = merged(&here, &there);
    assert_eq!(roster.role_of(&user(2).id()), None);
    assert_eq!(roster.role_of(&user(9).id()), None, "back-dated invitations are void");
    assert!(!roster.may_write(device(9).id().tag(), 1));
}

#[test]
fn two_owners_who_remove_each_other_leave_one() {
    let workspace = Workspace::with(&[(2, Role::Owner)]);
    let (mut here, mut there) = (workspace.fork(), workspace.fork());
    here.remove(1, 2).unwrap();
    there.remove(2, 1).unwrap();
    let roster = merged(&here, &there);
    let owners = [1, 2].into_iter().filter(|seed| roster.role_of(&user(*seed).id()) == Some(Role::Owner));
    assert_eq!(owners.count(), 1);
}

#[test]
fn what_was_built_on_a_void_record_is_weighed_anew() {
    let workspace = Workspace::with(&[(2, Role::Owner)]);
    let (mut here, mut there) = (workspace.fork(), workspace.fork());
    here.set_role(1, 2, Role::Reader).unwrap();
    here.set_role(1, 2, Role::Host).unwrap();
    there.set_role(2, 1, Role::Admin).unwrap();
    let roster = merged(&here, &there);
    let roles = [1, 2].map(|seed| roster.role_of(&user(seed).id()));
    assert!(roles.contains(&Some(Role::Owner)), "{roles:?}");
}

#[test]
fn two_removals_at_once_ask_for_another_epoch() {
    let workspace = Workspace::with(&[(2, Role::Admin), (3, Role::Writer), (4, Role::Writer)]);
    let (mut here, mut there) = (workspace.fork(), workspace.fork());
    here.remove(1, 3).unwrap();
    there.remove(2, 4).unwrap();
    let mut roster = merged(&here, &there);
    let realm = workspace.keyring.root_realm;
    assert!(roster.epoch_due(&realm), "each new key was sealed to the member the other removed");
    let mut keyring = workspace.keyring.clone();
    assert!(roster.update_keyring(&user(1), &mut keyring));
    assert_eq!(keyring.epoch_keys(2).count(), 2);
    roster.new_epoch(&user(1), &mut keyring, &mut test_entropy(8)).unwrap();
    assert!(!roster.epoch_due(&realm));
    assert_eq!(roster.current_key(&keyring).unwrap().0, 3);
}

#[test]
fn of_two_roles_given_at_once_the_lesser_holds() {
    let workspace = Workspace::with(&[(2, Role::Admin), (3, Role::Writer)]);
    let (mut here, mut there) = (workspace.fork(), workspace.fork());
    here.set_role(1, 3, Role::Admin).unwrap();
    there.set_role(2, 3, Role::Reader).unwrap();
    assert_eq!(merged(&here, &there).role_of(&user(3).id()), Some(Role::Reader));
}

#[test]
fn a_hundred_members_make_a_roster_that_is_read_at_once() {
    let mut workspace = Workspace::new();
    for seed in 2..100 {
        workspace.add_user(1, seed, Role::Writer).unwrap();
    }
    workspace.remove(1, 50).unwrap();
    assert_eq!(workspace.roster.open_epochs(&user(99)).len(), 2);
    assert_same(&workspace.roster, &rebuilt(workspace.records.iter().rev()));
}

/// One thing somebody tries; most are refused, which is part of the game.
#[derive(Clone, Debug)]
enum Deed {
    AddUser(u8, u8, Role),
    AddDevice(u8, u8),
    SetRole(u8, u8, Role),
    Remove(u8, u8),
    RemoveDevice(u8, u8),
    Decide(u8, u8),
    Vouch(u8, u8, u64),
    /// The copies exchange everything they have.
    Meet,
}

fn deeds() -> impl Strategy<Value = Vec<(bool, Deed)>> {
    let who = || 1u8..6;
    let role = || proptest::sample::select(Role::ALL.to_vec());
    let deed = prop_oneof![
        4 => (who(), who(), role()).prop_map(|(by, user, role)| Deed::AddUser(by, user, role)),
        2 => (who(), who()).prop_map(|(by, user)| Deed::AddDevice(by, user)),
        3 => (who(), who(), role()).prop_map(|(by, user, role)| Deed::SetRole(by, user, role)),
        2 => (who(), who()).prop_map(|(by, user)| Deed::Remove(by, user)),
        1 => (who(), who()).prop_map(|(by, user)| Deed::RemoveDevice(by, user)),
        2 => (who(), 2u8..9).prop_map(|(by, target)| Deed::Decide(by, target)),
        2 => (who(), who(), 0u64..9).prop_map(|(by, user, through)| Deed::Vouch(by, user, through)),
        1 => Just(Deed::Meet),
    ];
    proptest::collection::vec((any::<bool>(), deed), 1..25)
}

fn perform(workspace: &mut Workspace, deed: &Deed) {
    let _refused_or_not = match *deed {
        Deed::AddUser(by, user, role) => workspace.add_user(by, user, role),
        Deed::AddDevice(by, user) => workspace.add_device(by, user),
        Deed::SetRole(by, user, role) => workspace.set_role(by, user, role),
        Deed::Remove(by, user) => workspace.remove(by, user),
        Deed::RemoveDevice(by, user) => {
            let removed = workspace.roster.remove_device(&self::user(by), device(user).id(), 4);
            removed.map(|record| workspace.records.push(record))
        }
        Deed::Decide(by, target) => workspace.decide(by, target),
        Deed::Vouch(by, user, through) => {
            let outline = Some([through as u8; 32]).filter(|_| through % 2 == 1);
            let vouched = workspace.roster.vouch(&self::user(by), device(user).id(), through, outline);
            vouched.map(|record| workspace.records.push(record))
        }
        Deed::Meet => Ok(()),
    };
}

fn exchange(here: &mut Workspace, there: &mut Workspace) {
    let (mine, theirs) = (here.records.clone(), there.records.clone());
    for (workspace, records) in [(here, theirs), (there, mine)] {
        for record in records {
            if workspace.roster.apply(record.clone()).unwrap() == Applied::Added {
                workspace.records.push(record);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two copies changed apart; a third gets all their records shuffled and some twice: all three agree.
    #[test]
    fn any_order_gives_the_same_roster(deeds in deeds(), order: prop::sample::Index, seed: u64) {
        let start = Workspace::with(&[(2, Role::Owner), (3, Role::Owner), (4, Role::Admin), (5, Role::Writer)]);
        let (mut here, mut there) = (start.fork(), start.fork());
        for (left, deed) in &deeds {
            match deed {
                Deed::Meet => exchange(&mut here, &mut there),
                _ => perform(if *left { &mut here } else { &mut there }, deed),
            }
        }
        exchange(&mut here, &mut there);
        assert_same(&here.roster, &there.roster);

        let mut shuffled = here.records.clone();
        shuffled.push(order.get(&here.records).clone());
        shuffled.sort_by_key(|record| *blake3::keyed_hash(&[seed as u8; 32], record.hash().as_bytes()).as_bytes());
        let third = rebuilt(&shuffled);
        prop_assert_eq!(third.held(), 0);
        assert_same(&here.roster, &third);
        let owners = third.members().filter(|member| member.role == Some(Role::Owner)).count();
        prop_assert!(owners >= 1 || somebody_left(&deeds), "somebody stays in charge");
    }

    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>) {
        let _ = RosterRecord::parse(&bytes);
        let _ = RosterRecord::parse(&[&b"PDro\0\x01"[..], &bytes].concat());
    }
}

/// An owner who leaves while, elsewhere, the other owners go too leaves none: nobody took it from him.
fn somebody_left(deeds: &[(bool, Deed)]) -> bool {
    deeds.iter().any(|(_, deed)| match deed {
        Deed::Remove(by, user) => by == user,
        Deed::SetRole(by, user, role) | Deed::AddUser(by, user, role) => by == user && *role != Role::Owner,
        _ => false,
    })
}

#[test]
fn role_words_read_back() {
    for role in Role::ALL {
        assert_eq!(role.to_string().parse::<Role>(), Ok(role));
    }
    assert!("king".parse::<Role>().is_err());
}

#[test]
fn a_device_gets_another_name_and_a_removed_one_none() {
    let mut workspace = Workspace::with(&[(2, Role::Writer)]);
    let id = device(2).id();
    let named = |workspace: &Workspace| workspace.roster.device_by_id(&id).unwrap().name(&workspace.keyring);
    let rename = |workspace: &mut Workspace, by: u8, name: &str| {
        workspace.roster.rename_device(&user(by), &workspace.keyring, id, name).map(drop)
    };
    rename(&mut workspace, 2, "attic").unwrap();
    assert_eq!(named(&workspace).unwrap(), "attic");
    rename(&mut workspace, 1, "cellar").unwrap();
    assert_eq!(named(&workspace).unwrap(), "cellar");
    assert_eq!(workspace.roster.device_by_id(&id).unwrap().user, user(2).id());
    workspace.roster.remove_device(&user(1), id, 0).unwrap();
    assert!(matches!(rename(&mut workspace, 1, "back"), Err(RosterError::UnknownDevice)));
    assert!(workspace.roster.device_by_id(&id).unwrap().removed);
}
