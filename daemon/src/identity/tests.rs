use std::fs;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;

struct Given(Option<&'static str>);

impl Opener for Given {
    fn given(&self) -> Option<&str> {
        self.0
    }

    fn ask(&self, _again: bool) -> Result<Zeroizing<String>, IdentityError> {
        Err(IdentityError::PassphraseNeeded)
    }
}

/// Knows the passphrase at the third try.
struct Forgetful(std::cell::Cell<usize>);

impl Opener for Forgetful {
    fn given(&self) -> Option<&str> {
        None
    }

    fn ask(&self, again: bool) -> Result<Zeroizing<String>, IdentityError> {
        assert_eq!(again, self.0.get() > 0);
        self.0.set(self.0.get() + 1);
        Ok(Zeroizing::new(if self.0.get() == 3 { "sesame" } else { "wrong" }.into()))
    }
}

fn fresh() -> (TempDir, DataFolder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = DataFolder::new(dir.path());
    (dir, folder)
}

fn started(folder: &DataFolder, passphrase: Option<&'static str>) -> Result<OpenWorkspace, IdentityError> {
    device_key(folder)?;
    let user = user_keys(folder, &Given(passphrase))?;
    workspace(folder, &user).map(|workspace| match workspace {
        Workspace::Drive(open) => open,
        Workspace::Host { .. } => panic!("nobody joined as a host"),
    })
}

/// Every file below the folder with its content.
fn files(folder: &DataFolder) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.root().to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                found.push((entry.clone(), fs::read(entry).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_second_start_opens_what_the_first_made() {
    let (_dir, folder) = fresh();
    let first = started(&folder, None).unwrap();
    let before = files(&folder);
    let second = started(&folder, None).unwrap();
    assert_eq!(first.keyring.workspace, second.keyring.workspace);
    assert_eq!(first.keyring.dedup_secret, second.keyring.dedup_secret);
    assert_eq!(before, files(&folder));
    for (path, _) in before {
        assert!(!platform::private_file::is_open_to_others(&path).unwrap(), "{}", path.display());
    }
}

#[test]
fn a_start_cut_off_anywhere_goes_on() {
    let (_dir, folder) = fresh();
    let key = device_key(&folder).unwrap();
    user_keys(&folder, &Given(None)).unwrap();
    fs::create_dir_all(folder.workspaces().join("begun")).unwrap();
    started(&folder, None).unwrap();
    assert_eq!(device_key(&folder).unwrap().id(), key.id());
}

#[test]
fn a_passphrase_seals_the_keys_and_comes_and_goes() {
    let (_dir, folder) = fresh();
    started(&folder, Some("first")).unwrap();
    assert!(matches!(started(&folder, None), Err(IdentityError::PassphraseNeeded)));
    assert!(matches!(started(&folder, Some("wrong")), Err(IdentityError::Secret(KeyError::WrongPassphrase))));
    started(&folder, Some("first")).unwrap();
    let missing = set_passphrase(&folder, None, Some("sesame"));
    assert!(matches!(missing, Err(IdentityError::OldPassphraseNeeded)));
    assert!(matches!(set_passphrase(&folder, Some("first"), Some("")), Err(IdentityError::Secret(_))));
    set_passphrase(&folder, Some("first"), Some("sesame")).unwrap();
    assert!(user_of(&folder).unwrap().1);
    user_keys(&folder, &Forgetful(0.into())).unwrap();
    set_passphrase(&folder, Some("sesame"), None).unwrap();
    assert!(!user_of(&folder).unwrap().1);
    started(&folder, None).unwrap();
}

#[test]
fn the_words_bring_back_a_lost_or_forgotten_key() {
    let (_dir, folder) = fresh();
    let made = started(&folder, Some("forgotten")).unwrap();
    assert!(matches!(recovery_phrase(&folder, None), Err(IdentityError::OldPassphraseNeeded)));
    let words = recovery_phrase(&folder, Some("forgotten")).unwrap();
    recover(&folder, &words, Some("new")).unwrap();
    started(&folder, Some("new")).unwrap();
    fs::remove_file(folder.user_key()).unwrap();
    assert!(matches!(started(&folder, None), Err(IdentityError::UserMissing(_))));
    recover(&folder, &words, None).unwrap();
    assert_eq!(started(&folder, None).unwrap().keyring.workspace, made.keyring.workspace);

    let (_other_dir, other) = fresh();
    assert!(matches!(recover(&other, &words, None), Err(IdentityError::NoDrive(_))));
    started(&other, None).unwrap();
    assert!(matches!(recover(&other, &words, None), Err(IdentityError::OtherUser)));
    assert!(matches!(recover(&folder, "one two", None), Err(IdentityError::Secret(_))));
}

#[test]
fn garbage_and_newer_files_are_named_and_left_alone() {
    let (_dir, folder) = fresh();
    let workspace = started(&folder, None).unwrap().folder;
    let before = files(&folder);
    for path in [folder.device_key(), folder.user_key(), workspace.join("keyring")] {
        let good = fs::read(&path).unwrap();
        let mut newer = good.clone();
        newer[9] = newer[9].wrapping_add(1);
        for bad in [&b"garbage"[..], &newer, &good[..good.len() - 1], &[]] {
            fs::write(&path, bad).unwrap();
            let told = started(&folder, None).err().unwrap().to_string();
            assert!(told.contains(&*path.to_string_lossy()) && !told.contains('\n'), "{told}");
            assert_eq!(fs::read(&path).unwrap(), bad);
        }
        fs::write(&path, good).unwrap();
    }
    assert_eq!(files(&folder), before);
}

#[test]
fn what_is_missing_is_not_made_anew_over_a_drive() {
    let (_dir, folder) = fresh();
    let workspace = started(&folder, None).unwrap().folder;
    fs::write(workspace.join("tree.redb"), "tree").unwrap();
    fs::create_dir_all(folder.chunks().join("packs/00")).unwrap();
    let gone = |path: PathBuf| {
        let content = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let told = started(&folder, None).err();
        fs::write(path, content).unwrap();
        told
    };
    assert!(matches!(gone(folder.device_key()), Some(IdentityError::DeviceMissing(_))));
    assert!(matches!(gone(folder.user_key()), Some(IdentityError::UserMissing(_))));
    assert!(matches!(gone(workspace.join("keyring")), Some(IdentityError::KeyringMissing(_))));
    assert!(matches!(gone(workspace.join("tree.redb")), Some(IdentityError::TreeMissing(_))));
    started(&folder, None).unwrap();
}
