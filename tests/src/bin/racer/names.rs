//! Names: replaced, raced for, linked, listed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use rustix::io::Errno;
use tests::noise;

use crate::Racer;

const REPLACED: u64 = 3;
const SUM_BYTES: usize = 32;
/// Names that are never touched, and as many that come and go.
const STEADY: u64 = 200;

/// A new file over the old one: whoever opens the name sees one of them, whole.
pub fn replace(mut racer: Racer) {
    let beside = racer.path(format!("beside{}", racer.number));
    while racer.goes_on() {
        let len = [10, 3000, 60_000, 400_000][racer.dice.below(4) as usize];
        let mut content = noise(racer.dice.below(u64::MAX), len);
        content.extend_from_slice(blake3::hash(&content).as_bytes());
        let mut file = File::create(&beside).unwrap();
        std::io::Write::write_all(&mut file, &content).unwrap();
        if racer.dice.percent(10) {
            file.sync_all().unwrap();
        }
        drop(file);
        let number = racer.dice.below(REPLACED);
        fs::rename(&beside, racer.path(format!("replaced{number}"))).unwrap();
    }
}

/// Once there, the name is never missing, and what it leads to is whole.
pub fn open_replaced(mut racer: Racer) {
    let mut seen = [false; REPLACED as usize];
    while racer.goes_on() {
        let number = racer.dice.below(REPLACED);
        let path = racer.path(format!("replaced{number}"));
        let file = match File::open(&path) {
            Ok(file) => file,
            // As the promises say: open it again.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::STALE) => continue,
            Err(error) => {
                let is_early = error.kind() == ErrorKind::NotFound && !seen[number as usize];
                assert!(is_early, "{}: {error}", path.display());
                continue;
            }
        };
        seen[number as usize] = true;
        let mut content = Vec::new();
        (&file).read_to_end(&mut content).unwrap();
        assert!(content.len() > SUM_BYTES, "{} has {} bytes", path.display(), content.len());
        let (content, sum) = content.split_at(content.len() - SUM_BYTES);
        assert_eq!(blake3::hash(content).as_bytes(), sum, "{} is no whole file", path.display());
        assert!(file.metadata().unwrap().nlink() <= 1);
    }
}

/// Everybody wants the same names; the test sees to it that each was won once.
#[expect(clippy::needless_pass_by_value, reason = "each racer is one thread's own")]
pub fn claim(racer: Racer) {
    let folder = racer.path("claims");
    fs::create_dir_all(&folder).unwrap();
    let mut won = Vec::new();
    for name in 0_u64.. {
        if !racer.goes_on() {
            break;
        }
        match File::options().write(true).create_new(true).open(folder.join(name.to_string())) {
            Ok(_) => won.push(name),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
        }
    }
    for name in won {
        println!("won {name}");
    }
}

/// Links of a file of one's own, among folders that all use: the count is always right.
pub fn link(mut racer: Racer) {
    let folders = [racer.path("links0"), racer.path("links1")];
    for folder in &folders {
        fs::create_dir_all(folder).unwrap();
    }
    let path = |name: u64| folders[(name % 2) as usize].join(format!("{}-{name}", racer.number));
    let mut names = vec![0];
    File::create(path(0)).unwrap();
    let mut next = 1;
    while Instant::now() < racer.end {
        let known = names[racer.dice.below(names.len() as u64) as usize];
        match racer.dice.below(3) {
            0 if names.len() < 20 => {
                fs::hard_link(path(known), path(next)).unwrap();
                names.push(next);
            }
            1 if names.len() > 1 => {
                fs::remove_file(path(known)).unwrap();
                names.retain(|name| *name != known);
            }
            _ => {
                fs::rename(path(known), path(next)).unwrap();
                names.retain(|name| *name != known);
                names.push(next);
            }
        }
        next += 1;
        let told = fs::metadata(path(names[0])).unwrap().nlink();
        assert_eq!(told, names.len() as u64, "links of {}", racer.number);
    }
}

/// A folder in which names come and go: those that do not are listed once each.
pub fn list(mut racer: Racer) {
    let folder = racer.path("listed");
    fs::create_dir_all(&folder).unwrap();
    for number in 0..STEADY {
        File::create(folder.join(format!("steady{number}"))).unwrap();
    }
    while racer.goes_on() {
        for _ in 0..20 {
            let names = [0, 1].map(|_| folder.join(format!("coming{}", racer.dice.below(STEADY))));
            let done = match racer.dice.below(3) {
                0 => File::create(&names[0]).map(drop),
                1 => fs::rename(&names[0], &names[1]),
                _ => fs::remove_file(&names[0]),
            };
            if let Err(error) = done {
                let code = Errno::from_io_error(&error);
                // Stale: replaced again and again while it is opened.
                assert!(matches!(code, Some(Errno::NOENT | Errno::STALE)), "{names:?}: {error}");
            }
        }
        let mut counts = BTreeMap::new();
        for entry in fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.starts_with("steady") {
                *counts.entry(name).or_insert(0) += 1;
            }
        }
        assert_eq!(counts.len() as u64, STEADY, "some are not listed");
        assert!(counts.values().all(|count| *count == 1), "some are listed twice: {counts:?}");
    }
}
