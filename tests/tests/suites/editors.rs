//! Editors save on the drive in each of their ways, keep a backup if they should, and bring back what a crash left.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tests::{Daemon, eventually, program, run};

use crate::{folder, names};

const OLD: &str = "the first line\nthe second line\n";
const NEW: &str = "the first line\nthe last line\n";
/// An unusual mode, to be kept.
const MODE: u32 = 0o640;

/// How an editor saves.
struct Saving {
    /// The name of the case.
    name: &'static str,
    /// What tells the editor to do so.
    setting: &'static str,
    /// The file keeps its inode: other names of it see the new text.
    same_inode: bool,
    /// The old text stays beside it.
    backup: bool,
}

const VIM: [Saving; 4] = [
    Saving {
        name: "copied",
        setting: "set nobackup writebackup backupcopy=yes",
        same_inode: true,
        backup: false,
    },
    Saving {
        name: "renamed",
        setting: "set nobackup writebackup backupcopy=no",
        same_inode: false,
        backup: false,
    },
    Saving { name: "backup-copied", setting: "set backup backupcopy=yes", same_inode: true, backup: true },
    Saving { name: "backup-renamed", setting: "set backup backupcopy=no", same_inode: false, backup: true },
];

const EMACS: [Saving; 4] = [
    Saving { name: "in-place", setting: "(setq make-backup-files nil)", same_inode: true, backup: false },
    Saving {
        name: "precious",
        setting: "(setq make-backup-files nil file-precious-flag t)",
        same_inode: false,
        backup: false,
    },
    Saving { name: "backup-copied", setting: "(setq backup-by-copying t)", same_inode: true, backup: true },
    Saving {
        name: "backup-renamed",
        setting: "(setq backup-by-copying nil)",
        same_inode: false,
        backup: true,
    },
];

#[test]
fn vim_saves() {
    saves(&VIM, |setting, file| {
        let mut vim = vim(file);
        // It makes no backups in temporary folders, and here the drive lies in one.
        vim.args(["-c", "set backupskip=", "-c", setting, "-c", "%s/second/last/", "-c", "wq"]);
        vim
    });
}

#[test]
fn vim_recovers_what_was_not_saved() {
    let mut daemon = Daemon::start();
    let (desk, file) = desk(&daemon, "vim");
    let done = daemon.beside().join("done");
    let mut editor = vim(&file);
    // Preserving syncs the swap file. Then it waits for commands.
    editor.args(["-c", "%s/second/last/", "-c", "preserve", "-c"]).arg(format!("write {}", done.display()));
    let mut editor = edit_until(editor.stdin(Stdio::piped()), &done);
    crash(&mut daemon, &mut editor);
    assert_eq!(names(&desk), [".letter.swp", "letter"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), OLD);
    run(vim(&file).args(["-r", "-c", "write! recovered", "-c", "qall!"]));
    assert_eq!(fs::read_to_string(desk.join("recovered")).unwrap(), NEW);
}

#[test]
#[ignore = "Emacs is large: PEERDRIVE_LONG=1 cargo xtask test"]
fn emacs_saves() {
    saves(&EMACS, |setting, file| {
        let mut emacs = emacs();
        // Nor does this one make backups in temporary folders.
        emacs
            .args(["--eval", "(setq backup-enable-predicate #'identity)", "--eval", setting])
            .arg(file)
            .arg("--eval")
            .arg(
                "(progn (goto-char 1) (search-forward \"second\") (replace-match \"last\")
                (unless (file-symlink-p (concat default-directory \".#letter\")) (error \"not locked\"))
                (save-buffer))",
            );
        emacs
    });
}

#[test]
#[ignore = "Emacs is large: PEERDRIVE_LONG=1 cargo xtask test"]
fn emacs_recovers_what_was_not_saved() {
    let mut daemon = Daemon::start();
    let (desk, file) = desk(&daemon, "emacs");
    let done = daemon.beside().join("done");
    let mut editor = emacs();
    editor.arg(&file).arg("--eval").arg(format!(
        "(progn (goto-char 1) (search-forward \"second\") (replace-match \"last\") (auto-save-mode 1)
            (do-auto-save t) (write-region \"\" nil \"{}\") (sleep-for 600))",
        done.display()
    ));
    let mut editor = edit_until(&mut editor, &done);
    // Emacs does not: who loses a little work of a crash gets along.
    fs::File::open(desk.join("#letter#")).unwrap().sync_all().unwrap();
    crash(&mut daemon, &mut editor);
    assert_eq!(fs::read_to_string(&file).unwrap(), OLD);
    assert!(fs::symlink_metadata(desk.join(".#letter")).unwrap().is_symlink(), "the lock of who crashed");
    assert_eq!(fs::read_to_string(desk.join("#letter#")).unwrap(), NEW);
}

/// Each way keeps mode and other names as it should, leaves nothing behind, and is there after a crash of the daemon.
fn saves(ways: &[Saving], edit: impl Fn(&str, &Path) -> Command) {
    let mut daemon = Daemon::start();
    for way in ways {
        let (desk, file) = desk(&daemon, way.name);
        fs::hard_link(&file, desk.join("other name")).unwrap();
        symlink("letter", desk.join("shortcut")).unwrap();
        run(edit(way.setting, &file));
        check(way, &desk, false);
    }
    daemon.kill();
    daemon.start_again();
    for way in ways {
        check(way, &daemon.mount().join(way.name), true);
    }
}

/// Editors sync the text that they save. What they do after that, such as taking their lock away or giving a new file the mode
/// of the old one, they do not, and not always a backup that is a copy.
fn check(way: &Saving, desk: &Path, crashed: bool) {
    let name = if crashed { format!("{}, after a crash", way.name) } else { way.name.into() };
    let read = |name: &str| fs::read_to_string(desk.join(name)).unwrap();
    assert_eq!(read("letter"), NEW, "{name}");
    assert_eq!(read("shortcut"), NEW, "{name}");
    assert_eq!(read("other name"), if way.same_inode { NEW } else { OLD }, "{name}");
    let file = fs::metadata(desk.join("letter")).unwrap();
    let other = fs::metadata(desk.join("other name")).unwrap();
    assert_eq!(file.ino() == other.ino(), way.same_inode, "{name}");
    if way.same_inode || !crashed {
        assert_eq!(file.permissions().mode() & 0o777, MODE, "{name}");
    }
    let backup: &[&str] = if way.backup { &["letter~"] } else { &[] };
    let wanted = [&["letter"], backup, &["other name", "shortcut"]].concat();
    let mut found = names(desk);
    found.retain(|name| !(crashed && name.starts_with('.')));
    assert_eq!(found, wanted, "{name}");
    if way.backup && !(crashed && way.same_inode) {
        assert_eq!(read("letter~"), OLD, "{name}");
    }
}

/// A folder with a synced letter in it.
fn desk(daemon: &Daemon, name: &str) -> (PathBuf, PathBuf) {
    let desk = folder(&daemon.mount(), name);
    let file = desk.join("letter");
    fs::write(&file, OLD).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(MODE)).unwrap();
    fs::File::open(&file).unwrap().sync_all().unwrap();
    (desk, file)
}

/// Without anybody's settings, and without a screen.
fn vim(file: &Path) -> Command {
    let mut vim = program("vim.tiny");
    vim.current_dir(file.parent().expect("a folder"))
        .args(["-N", "-u", "NONE", "-i", "NONE", "-es"])
        .arg(file);
    vim
}

fn emacs() -> Command {
    let mut emacs = program("emacs");
    // Without a terminal it would not sync what it saves.
    emacs.args(["--batch", "-Q", "--eval", "(setq write-region-inhibit-fsync nil)"]);
    emacs
}

/// Starts an editor that makes a file of this name when it has come so far, and then waits.
fn edit_until(editor: &mut Command, done: &Path) -> Child {
    let editor = editor.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the editor has written down what it did", || done.exists());
    editor
}

/// The daemon goes first: nothing that the editor does at its end reaches the drive.
fn crash(daemon: &mut Daemon, editor: &mut Child) {
    daemon.kill();
    editor.kill().unwrap();
    editor.wait().unwrap();
    daemon.start_again();
}
