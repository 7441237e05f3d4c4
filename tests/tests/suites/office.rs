//! LibreOffice, without a screen, saves documents on the drive and opens them again from there.

use std::fs;
use std::path::Path;

use tests::tree::Tree;
use tests::{Daemon, program, run};

use crate::{folder, names};

const TEXT: &str = "Dear reader,\nthis letter was saved on the drive.\n";
const TABLE: &str = "what,how many\napples,12\npears,30\n";

#[test]
#[ignore = "LibreOffice is large: PEERDRIVE_LONG=1 cargo xtask test"]
fn documents_are_saved_and_opened_again() {
    let mut daemon = Daemon::start();
    let desk = folder(&daemon.mount(), "desk");
    fs::write(desk.join("letter.txt"), TEXT).unwrap();
    fs::write(desk.join("table.csv"), TABLE).unwrap();
    // What LibreOffice keeps of its user is on the drive, too.
    let office = |to: &str, file: &str| convert(&daemon.mount(), &desk, to, file);
    for to in ["odt", "docx", "pdf"] {
        office(to, "letter.txt");
    }
    for to in ["ods", "xlsx", "pdf"] {
        office(to, "table.csv");
    }
    // Saved anew over what is there.
    office("odt", "letter.docx");
    office("xlsx", "table.ods");
    let saved = Tree::of(&desk);
    daemon.restart();
    Tree::of(&desk).assert_same(&saved, "after a restart");

    let again = folder(&daemon.mount(), "again");
    for (file, to, read, wanted) in [
        ("letter.odt", "txt:Text", "letter.txt", TEXT),
        ("letter.docx", "txt:Text", "letter.txt", TEXT),
        ("table.ods", "csv", "table.csv", TABLE),
        ("table.xlsx", "csv", "table.csv", TABLE),
    ] {
        convert(&daemon.mount(), &again, to, &format!("../desk/{file}"));
        let found = fs::read_to_string(again.join(read)).unwrap();
        assert_eq!(found.trim_start_matches('\u{feff}'), wanted, "{file} opened again");
        fs::remove_file(again.join(read)).unwrap();
    }
    let mut pdfs = names(&desk);
    assert!(!pdfs.iter().any(|name| name.starts_with('.')), "lock files are left: {pdfs:?}");
    pdfs.retain(|name| Path::new(name).extension().is_some_and(|kind| kind == "pdf"));
    for pdf in pdfs {
        let bytes = fs::read(desk.join(&pdf)).unwrap();
        let is_whole = bytes.starts_with(b"%PDF-") && bytes.trim_ascii_end().ends_with(b"%%EOF");
        assert!(is_whole, "{pdf} is no whole PDF");
    }
}

fn convert(drive: &Path, desk: &Path, to: &str, file: &str) {
    let mut office = program("soffice");
    office.arg(format!("-env:UserInstallation=file://{}/office-user", drive.display()));
    office
        .env("HOME", drive)
        .current_dir(desk)
        .args(["--headless", "--convert-to", to, "--outdir"])
        .arg(desk);
    run(office.arg(file));
}
