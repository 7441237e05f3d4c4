//! The layers must read as if every change had been written at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Backing, Batch, Glance, Layers, MemoryBacking, RedbBacking, Table};
use crate::identity::DeviceTag;

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    Delete(u8),
    Keep,
    Kept,
    Freeze,
    Thaw,
    Scan(u8, Option<u8>, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..20u8, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => (0..20u8).prop_map(Step::Delete),
        1 => Just(Step::Keep),
        1 => Just(Step::Kept),
        1 => Just(Step::Freeze),
        1 => Just(Step::Thaw),
        2 => (0..20u8, proptest::option::of(0..20u8), 1..30usize).prop_map(|(from, to, n)| Step::Scan(from, to, n)),
    ]
}

fn run(layers: &mut Layers, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut frozen = None;
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Put(key, value) => {
                model.insert(vec![*key], vec![*value]);
                layers.put(Table::Local, vec![*key], vec![*value]);
            }
            Step::Delete(key) => {
                model.remove(&vec![*key]);
                layers.delete(Table::Local, vec![*key]);
            }
            Step::Keep if !layers.is_keeping() => drop(layers.keep()),
            Step::Kept => layers.kept(),
            Step::Freeze if frozen.is_none() && !layers.is_keeping() => frozen = Some(layers.freeze()),
            Step::Thaw => {
                if let Some(layer) = frozen.take() {
                    layers.backing.write(&Batch::of(layer.clone())).unwrap();
                    assert!(layers.thaw(&layer));
                }
            }
            Step::Freeze | Step::Keep => {}
            Step::Scan(from, to, limit) => {
                let mut found = Vec::new();
                let to = to.map(|to| vec![to]);
                layers
                    .scan(Table::Local, &[*from], to.as_deref(), &mut |key, value| {
                        found.push((key.to_vec(), value.to_vec()));
                        found.len() < *limit
                    })
                    .unwrap();
                let rows = model.iter().filter(|(key, _)| **key >= vec![*from]);
                let rows = rows.filter(|(key, _)| to.as_ref().is_none_or(|to| *key < to));
                let expected: Vec<_> =
                    rows.take(*limit).map(|(key, value)| (key.clone(), value.clone())).collect();
                prop_assert_eq!(found, expected);
            }
        }
        for key in 0..20u8 {
            prop_assert_eq!(layers.get(Table::Local, &[key]).unwrap(), model.get(&vec![key]).cloned());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn layers_over_memory_read_as_one(steps in proptest::collection::vec(step(), 1..80)) {
        run(&mut Layers::over(Arc::new(MemoryBacking::default()), DeviceTag(1)), &steps)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn layers_over_redb_read_as_one(steps in proptest::collection::vec(step(), 1..60)) {
        let backing = RedbBacking::open(redb::backends::InMemoryBackend::new(), 1 << 20).unwrap();
        run(&mut Layers::over(Arc::new(backing), DeviceTag(1)), &steps)?;
    }
}

#[test]
fn a_row_that_nobody_wants_need_not_fit_its_check() {
    let file = tempfile::tempfile().unwrap();
    let storage = || redb::backends::FileBackend::new(file.try_clone().unwrap()).unwrap();
    let mut layer = super::Layer::of(DeviceTag(1));
    for key in [b"a", b"b", b"c"] {
        layer.put(Table::Children, key.to_vec(), Some(b"value".to_vec()));
    }
    let backing = RedbBacking::open(storage(), 1 << 20).unwrap();
    backing.write(&Batch::of(Arc::new(layer))).unwrap();
    drop(backing);
    let database = redb::Builder::new().create_with_backend(storage()).unwrap();
    let write = database.begin_write().unwrap();
    let table: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("children");
    write.open_table(table).unwrap().insert(&b"b"[..], &b"another value of no check"[..]).unwrap();
    write.commit().unwrap();
    drop(database);
    let mut layers = Layers::over(Arc::new(RedbBacking::open(storage(), 1 << 20).unwrap()), DeviceTag(1));
    layers.put(Table::Children, b"aa".to_vec(), b"value".to_vec());
    let walk = |wanted: &dyn Fn(&[u8]) -> Glance| {
        let mut told = Vec::new();
        let walked =
            layers.scan_some(Table::Children, b"", None, &mut |key| wanted(key), &mut |key, value| {
                assert_eq!(value, b"value");
                told.push(String::from_utf8(key.to_vec()).unwrap());
                true
            });
        (walked.map_err(|error| error.to_string()), told)
    };
    let others = |key: &[u8]| if key == b"b" { Glance::Pass } else { Glance::Take };
    assert_eq!(walk(&others), (Ok(()), vec!["a".into(), "aa".into(), "c".into()]));
    let (walked, told) = walk(&|_| Glance::Take);
    assert!(walked.unwrap_err().contains("damaged") && told == ["a", "aa"]);
    let (walked, told) = walk(&|key| if key == b"aa" { Glance::Stop } else { Glance::Take });
    assert!(walked.is_ok() && told == ["a"]);
}

#[test]
fn a_newer_database_is_refused_and_not_touched() {
    let file = tempfile::tempfile().unwrap();
    let storage = || redb::backends::FileBackend::new(file.try_clone().unwrap()).unwrap();
    drop(RedbBacking::open(storage(), 1 << 20).unwrap());
    let database = redb::Builder::new().create_with_backend(storage()).unwrap();
    let write = database.begin_write().unwrap();
    let table: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("meta");
    write.open_table(table).unwrap().insert(&b"\0format"[..], &b"PDtree\0\0\0\0\0\x02"[..]).unwrap();
    write.commit().unwrap();
    drop(database);
    let refused = RedbBacking::open(storage(), 1 << 20).map(drop);
    assert!(matches!(refused, Err(super::StoreError::Newer { found: 2, known: 1 })));
}
