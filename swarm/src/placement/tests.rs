use super::*;

fn host(number: u8, weight: u64) -> HostWeight {
    HostWeight { device: DeviceId::from_bytes([number; 32]), weight, site: String::new(), full: false }
}

fn shares(hosts: &[HostWeight], target: usize) -> BTreeMap<DeviceId, usize> {
    let mut shares = BTreeMap::new();
    for partition in 0..PARTITIONS {
        for owner in owners(partition, hosts, target) {
            *shares.entry(owner).or_default() += 1;
        }
    }
    shares
}

#[test]
fn two_machines_agree() {
    let hosts: Vec<_> = (1..=5).map(|number| host(number, u64::from(number) * 64)).collect();
    let chosen = |partition| -> Vec<u8> {
        owners(partition, &hosts, 3).iter().map(|device| device.as_bytes()[0]).collect()
    };
    let golden: Vec<_> = [0, 1, 2, 0xabc, 0xfff].into_iter().map(chosen).collect();
    assert_eq!(golden, GOLDEN_OWNERS);
    assert_eq!(lot(u64::MAX), 1);
    assert_eq!(lot(1 << 63), 1 << FRACTION_BITS);
    assert_eq!(lot(1 << 62), 2 << FRACTION_BITS);
    assert_eq!(lot(0), 64 << FRACTION_BITS);
    assert_eq!(lot(0xc000_0000_0000_0000), 6_963_174, "-log2(3/4) in 24 bits");
}

const GOLDEN_OWNERS: [[u8; 3]; 5] = [[4, 5, 3], [3, 5, 2], [3, 1, 5], [3, 4, 5], [2, 5, 3]];

#[test]
fn the_table_says_what_the_function_says() {
    let mut hosts: Vec<_> = (1..=6).map(|number| host(number, 100 + u64::from(number))).collect();
    hosts[2].full = true;
    hosts[3].site = "attic".to_owned();
    hosts[4].site = "attic".to_owned();
    let names: Vec<u16> = (0..6).collect();
    let table = Lots::default().table(&hosts, &names, 3, &OwnerTable::default());
    for partition in 0..PARTITIONS {
        let named = table.owners(partition).iter().map(|name| hosts[usize::from(*name)].device);
        assert_eq!(named.collect::<Vec<_>>(), owners(partition, &hosts, 3));
    }
}

#[test]
fn a_table_that_follows_another_is_the_one_made_anew() {
    let mut random = blake3::Hasher::new().finalize_xof();
    let mut below = |most: u8| {
        let mut byte = [0];
        random.fill(&mut byte);
        byte[0] % most
    };
    let mut hosts: Vec<(u16, HostWeight)> = Vec::new();
    let (mut lots, mut table) = (Lots::default(), OwnerTable::default());
    for step in 0..150 {
        let number = below(20);
        let known = hosts.iter().position(|(name, _)| *name == u16::from(number));
        match (below(5), known) {
            (0, Some(at)) => drop(hosts.remove(at)),
            (1, Some(at)) => hosts[at].1.full ^= true,
            (2, Some(at)) => hosts[at].1.weight = u64::from(below(4)) * 64,
            (3, Some(at)) => hosts[at].1.site = ["", "attic", "cellar"][usize::from(below(3))].to_owned(),
            (_, Some(_)) => {}
            (_, None) => hosts.insert(0, (u16::from(number), host(number, 64 * (1 + u64::from(below(3)))))),
        }
        let (names, listed): (Vec<_>, Vec<_>) = hosts.iter().cloned().unzip();
        let target = if step % 40 < 30 { 3 } else { 5 };
        table = lots.table(&listed, &names, target, &table);
        assert_eq!(table, Lots::default().table(&listed, &names, target, &OwnerTable::default()), "{step}");
    }
}

#[test]
fn a_share_is_as_large_as_the_weight() {
    let hosts: Vec<_> = (1..=8).map(|number| host(number, 64)).collect();
    for (device, share) in shares(&hosts, 3) {
        assert!((1400..1680).contains(&share), "{device}: {share} of 1536");
    }
    let hosts = [host(1, 64), host(2, 64), host(3, 128)];
    let shares = shares(&hosts, 1);
    let large = shares[&hosts[2].device];
    assert!((1950..2150).contains(&large), "{large} of 2048");
}

#[test]
fn joining_moves_only_what_goes_to_the_newcomer() {
    let mut hosts: Vec<_> = (1..=8).map(|number| host(number, 64)).collect();
    let before: Vec<_> = (0..PARTITIONS).map(|partition| owners(partition, &hosts, 3)).collect();
    let newcomer = host(9, 64);
    hosts.push(newcomer.clone());
    let mut gained = 0;
    for (partition, old) in (0..PARTITIONS).zip(&before) {
        let new = owners(partition, &hosts, 3);
        gained += usize::from(new.contains(&newcomer.device));
        assert!(new.iter().all(|owner| *owner == newcomer.device || old.contains(owner)));
    }
    assert!((1200..1530).contains(&gained), "{gained} of 1365");
}

#[test]
fn full_hosts_are_passed_over_and_the_others_keep_their_place() {
    let mut hosts: Vec<_> = (1..=5).map(|number| host(number, 64)).collect();
    let before: Vec<_> = (0..PARTITIONS).map(|partition| owners(partition, &hosts, 3)).collect();
    hosts[0].full = true;
    for (partition, old) in (0..PARTITIONS).zip(&before) {
        let new = owners(partition, &hosts, 3);
        assert!(!new.contains(&hosts[0].device) && new.len() == 3);
        assert!(old.iter().all(|owner| *owner == hosts[0].device || new.contains(owner)));
    }
}

#[test]
fn a_site_has_one_copy_while_sites_suffice() {
    let mut hosts: Vec<_> = (1..=4).map(|number| host(number, 64)).collect();
    hosts[0].site = "attic".to_owned();
    hosts[1].site = "attic".to_owned();
    for partition in 0..PARTITIONS {
        let chosen = owners(partition, &hosts, 3);
        let attic = hosts[..2].iter().filter(|host| chosen.contains(&host.device)).count();
        assert_eq!(attic, 1);
    }
    assert_eq!(owners(7, &hosts[..2], 3).len(), 2, "copies in one site are better than no copies");
}

#[test]
fn small_changes_of_a_contribution_change_no_weight() {
    assert_eq!(weight_of(100 << 30), weight_of((100 << 30) + (3 << 30)));
    assert_eq!((weight_of(0), weight_of(1), weight_of(1 << 20)), (0, 1, 1));
    assert!(weight_of(200 << 30) == 2 * weight_of(100 << 30));
    assert!(weight_of(u64::MAX) > 0);
}
