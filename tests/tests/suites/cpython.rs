//! CPython's own tests of files, with their folder on the drive.

use tests::{is_long, output, program, told};

use crate::{folder, names, shared_drive};

/// The interpreter whose tests Debian packs, and the only one that they fit.
const PYTHON: &str = "/usr/bin/python3.11";
const SHORT: [&str; 14] = [
    "test_fcntl",
    "test_file",
    "test_filecmp",
    "test_fileio",
    "test_genericpath",
    "test_glob",
    "test_mmap",
    "test_os",
    "test_pathlib",
    "test_posix",
    "test_shutil",
    "test_stat",
    "test_tarfile",
    "test_tempfile",
];
/// More of them, for the long form.
const LONG: [&str; 24] = [
    "test_bufio",
    "test_bz2",
    "test_compileall",
    "test_dbm",
    "test_dbm_dumb",
    "test_dbm_ndbm",
    "test_fileinput",
    "test_gzip",
    "test_import",
    "test_io",
    "test_largefile",
    "test_logging",
    "test_lzma",
    "test_mailbox",
    "test_pkg",
    "test_posixpath",
    "test_py_compile",
    "test_shelve",
    "test_unicode_file",
    "test_unicode_file_functions",
    "test_zipapp",
    "test_zipfile",
    "test_zipfile64",
    "test_zipimport",
];
/// Cases that are left out.
const EXCLUDED: [(&str, &str); 1] = [(
    "*GNUReadTest.test_sparse_file_*",
    "wants holes of 4 KiB to be holes for ever; the drive keeps those of 32 KiB and more, and packs zeros for the others",
)];
/// Cases that must have run; fewer means that the suite did not do what it should.
const SHORT_CASES_AT_LEAST: u32 = 1_500;
const LONG_CASES_AT_LEAST: u32 = 5_000;

#[test]
fn python_finds_its_files_as_anywhere() {
    let daemon = shared_drive();
    let place = folder(&daemon.mount(), "python");
    let mut python = program(PYTHON);
    python.current_dir("/").args(["-m", "test", "-v", "-j2", "--tempdir"]).arg(&place);
    // Python's own settings, not those of whoever runs this test.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PYTHON") {
            python.env_remove(name);
        }
    }
    for (pattern, _) in EXCLUDED {
        python.args(["--ignore", pattern]);
    }
    python.args(SHORT);
    let cases_at_least = if is_long() {
        // Files of more than 2 GiB, too.
        python.args(LONG).args(["-u", "largefile,extralargefile"]);
        LONG_CASES_AT_LEAST
    } else {
        SHORT_CASES_AT_LEAST
    };
    let ended = output(python);
    let told = told(&ended);
    assert!(ended.status.success(), "{}\n{}", shorten(&told), daemon.log_tail());
    let cases: u32 = told.lines().filter_map(cases_run).sum();
    assert!(cases >= cases_at_least, "only {cases} cases ran\n{}", shorten(&told));
    assert_eq!(names(&place), [""; 0], "it takes away what it made");
}

/// Such as `Ran 515 tests in 8.032s`.
fn cases_run(line: &str) -> Option<u32> {
    line.strip_prefix("Ran ")?.split(' ').next()?.parse().ok()
}

/// What failed and why, without the thousands of lines of what did not.
fn shorten(told: &str) -> String {
    let went_well = |line: &str| line.contains(" ... ok") || line.contains(" ... skipped");
    told.lines().filter(|line| !went_well(line)).collect::<Vec<_>>().join("\n")
}
