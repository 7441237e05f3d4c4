//! The recovery phrase: 24 words of BIP 39 (English list) for the 32-byte root seed, with its checksum of 8 bits.

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use super::KeyError;

const WORDS: usize = 24;
/// Letters that single out a word of the list (BIP 39).
const TELLING_LETTERS: usize = 4;
const SHOWN_CHARACTERS: usize = 32;

/// The words for a root seed.
pub(super) fn write(root: &[u8; 32]) -> Zeroizing<String> {
    let mnemonic = Mnemonic::from_entropy_in(Language::English, root).expect("32 bytes make 24 words");
    // Long enough for 24 words of 8 letters, so that no half-written copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(WORDS * 9));
    for word in mnemonic.words() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// The root seed behind the words.
pub(super) fn parse(words: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let count = words.split_whitespace().count();
    if count != WORDS {
        return Err(KeyError::PhraseLength { found: count });
    }
    let lower = Zeroizing::new(words.to_lowercase());
    let mnemonic =
        Mnemonic::parse_in_normalized(Language::English, &lower).map_err(|e| explain(e, &lower))?;
    let (entropy, _) = mnemonic.to_entropy_array();
    let entropy = Zeroizing::new(entropy);
    let mut root = Zeroizing::new([0; 32]);
    root.copy_from_slice(&entropy[..32]);
    Ok(root)
}

fn explain(error: bip39::Error, words: &str) -> KeyError {
    match error {
        bip39::Error::UnknownWord(index) => {
            let word = words.split_whitespace().nth(index).unwrap_or_default();
            KeyError::PhraseWord {
                position: index + 1,
                word: word.chars().take(SHOWN_CHARACTERS).collect(),
                suggestion: similar(word),
            }
        }
        _ => KeyError::PhraseChecksum,
    }
}

/// The word of the list that begins with the same letters, when there is exactly one.
fn similar(word: &str) -> Option<&'static str> {
    let prefix: String = word.chars().take(TELLING_LETTERS).collect();
    let mut words = Language::English.words_by_prefix_iter(&prefix);
    words.next().filter(|_| words.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_fixed() {
        assert_eq!(write(&[0; 32]).as_str(), format!("{}art", "abandon ".repeat(23)));
    }

    #[test]
    fn case_and_spacing_do_not_matter() {
        let text = write(&[9; 32]).to_uppercase().replace(' ', " \n\t");
        assert_eq!(*parse(&text).unwrap(), [9; 32]);
    }

    #[test]
    fn a_wrong_word_is_named() {
        let text = write(&[0; 32]).replacen("abandon", "abandun", 1);
        let found = parse(&text).unwrap_err();
        let expected =
            KeyError::PhraseWord { position: 1, word: "abandun".into(), suggestion: Some("abandon") };
        assert_eq!(found, expected);
        assert!(found.to_string().contains("was it \"abandon\"?"), "{found}");
        let found = parse(&text.replacen("abandun", "zzzz", 1)).unwrap_err();
        assert!(matches!(found, KeyError::PhraseWord { suggestion: None, .. }));
    }

    #[test]
    fn words_that_do_not_belong_together_and_missing_words_are_told_apart() {
        let text = write(&[0; 32]).replacen("abandon", "ability", 1);
        assert_eq!(parse(&text).err(), Some(KeyError::PhraseChecksum));
        assert_eq!(parse("abandon art").err(), Some(KeyError::PhraseLength { found: 2 }));
        assert_eq!(parse("").err(), Some(KeyError::PhraseLength { found: 0 }));
    }
}
