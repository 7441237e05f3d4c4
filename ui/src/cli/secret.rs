//! Secrets given in files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::failure::Failure;

/// Bytes of such a file at most.
const MAX_SECRET_BYTES: usize = 4096;

/// The first line of a file, or of standard input for `-`: a passphrase.
///
/// # Errors
/// It cannot be read, is no text, or its first line is empty.
pub fn first_line(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let all = all_of(file)?;
    let line = all.lines().next().unwrap_or_default();
    if line.is_empty() {
        let told = format!("the first line of {} is empty: it must be the passphrase", file.display());
        return Err(Failure::Failed(told));
    }
    Ok(Zeroizing::new(line.to_string()))
}

/// All of a file, or of standard input for `-`.
pub(super) fn all_of(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let told = |why: &str| Failure::Failed(format!("cannot read the secret in {} ({why})", file.display()));
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(|error| told(&error.to_string()))?)
    };
    // The buffer never grows, so no copy is left behind unwiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES + 1));
    source
        .take(MAX_SECRET_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| told(&error.to_string()))?;
    if bytes.len() > MAX_SECRET_BYTES {
        return Err(told("it is longer than 4096 bytes"));
    }
    std::str::from_utf8(&bytes)
        .map(|text| Zeroizing::new(text.into()))
        .map_err(|_| told("it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "let me in \r\nnot this\n").unwrap();
        assert_eq!(first_line(&file).unwrap().as_str(), "let me in ");
        for wrong in [&b""[..], b"\nx", b"\xff\xfe", &[b'a'; MAX_SECRET_BYTES + 1]] {
            std::fs::write(&file, wrong).unwrap();
            assert!(first_line(&file).is_err());
        }
        assert!(first_line(&dir.path().join("none")).is_err());
    }
}
