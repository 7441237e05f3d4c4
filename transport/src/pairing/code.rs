//! Codes to be said aloud: `7-amber-falcon`.
//!
//! ```text
//!  number 1..=999 finds the invitation; two of 1024 words are its secret: 20 bits, and three tries
//! ```
//!
//! No two words differ by one letter, so a slip of the tongue or the hand is noticed and mended, never taken for another word.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use zeroize::{Zeroize, Zeroizing};

/// Greatest number of a code.
pub const CODE_NUMBER_MAX: u16 = 999;
const WORD_COUNT: usize = 1024;
/// Characters of a code; what is longer is none.
const CODE_MAX_CHARS: usize = 64;

static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| include_str!("words.txt").lines().collect());

/// A short secret with the number under which it is known.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    number: u16,
    words: [u16; 2],
}

impl Zeroize for Code {
    fn zeroize(&mut self) {
        self.words.zeroize();
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.zeroize();
    }
}

/// Why a text is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// It is not made of a number and two words.
    #[error("a code is a number and two words, like 7-amber-falcon")]
    Shape,
    /// The number is outside 1..=999.
    #[error("the number of a code is from 1 to {CODE_NUMBER_MAX}")]
    Number,
    /// A word no code has.
    #[error("no code has the word \"{word}\"; did you mean \"{nearest}\"?")]
    UnknownWord {
        /// The word.
        word: String,
        /// The most similar one that codes have.
        nearest: &'static str,
    },
}

impl Code {
    /// A new code with random words. The number is brought into 1..=999.
    pub fn generate(random: &mut dyn FnMut(&mut [u8]), number: u16) -> Self {
        let mut bytes = Zeroizing::new([0; 4]);
        random(&mut bytes[..]);
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]) % WORD_COUNT as u16;
        Self { number: number.clamp(1, CODE_NUMBER_MAX), words: [word(0), word(2)] }
    }

    /// The part that is no secret: which invitation it is.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.words.map(|word| WORDS[usize::from(word)]);
        write!(f, "{}-{first}-{second}", self.number)
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Takes any case, and spaces or other separators for the hyphens.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        if text.chars().count() > CODE_MAX_CHARS {
            return Err(CodeError::Shape);
        }
        let lower = Zeroizing::new(text.to_lowercase());
        let parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        let &[number, first, second] = &parts.collect::<Vec<_>>()[..] else {
            return Err(CodeError::Shape);
        };
        if !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(CodeError::Shape);
        }
        let number = number.parse().map_err(|_| CodeError::Number)?;
        if !(1..=CODE_NUMBER_MAX).contains(&number) {
            return Err(CodeError::Number);
        }
        Ok(Self { number, words: [word(first)?, word(second)?] })
    }
}

fn word(text: &str) -> Result<u16, CodeError> {
    match WORDS.binary_search(&text) {
        Ok(at) => Ok(u16::try_from(at).expect("there are 1024 words")),
        Err(_) => Err(CodeError::UnknownWord { word: text.to_owned(), nearest: nearest(text) }),
    }
}

fn nearest(text: &str) -> &'static str {
    WORDS.iter().min_by_key(|word| strsim::damerau_levenshtein(word, text)).expect("there are 1024 words")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Code, CodeError> {
        text.parse()
    }

    #[test]
    fn the_words_are_many_short_and_far_apart() {
        assert_eq!(WORDS.len(), WORD_COUNT);
        assert!(WORDS.is_sorted(), "they are searched by halving");
        assert_eq!(WORDS.iter().collect::<HashSet<_>>().len(), WORD_COUNT);
        for (at, one) in WORDS.iter().enumerate() {
            assert!((3..=8).contains(&one.len()) && one.bytes().all(|b| b.is_ascii_lowercase()), "{one}");
            for other in &WORDS[at + 1..] {
                assert!(strsim::levenshtein(one, other) > 1, "{one} {other}");
            }
        }
    }

    #[test]
    fn golden_code() {
        let code = Code::generate(&mut |bytes| bytes.copy_from_slice(&[0, 0, 0xff, 0xff]), 7);
        assert_eq!(code.to_string(), "7-acorn-zucchini");
        assert_eq!(Code::generate(&mut |_| {}, 0).number(), 1);
        assert_eq!(Code::generate(&mut |_| {}, 5000).number(), CODE_NUMBER_MAX);
    }

    #[test]
    fn parsing_forgives_what_people_type() {
        let code = parse("7-amber-falcon").unwrap();
        for text in ["7 amber falcon", " 7-AMBER-Falcon\n", "7.amber.falcon", "007 - amber - falcon"] {
            assert!(parse(text).unwrap() == code, "{text}");
        }
        assert_eq!(code.to_string(), "7-amber-falcon");
    }

    #[test]
    fn a_wrong_word_is_named_with_the_right_one() {
        let error = parse("7-ambr-falcon").err();
        assert_eq!(error, Some(CodeError::UnknownWord { word: "ambr".into(), nearest: "amber" }));
        assert_eq!(parse("0-amber-falcon").err(), Some(CodeError::Number));
        assert_eq!(parse("70000-amber-falcon").err(), Some(CodeError::Number));
        for text in ["", "amber-falcon", "7-amber", "7-amber-falcon-x", "x-amber-falcon", &"7".repeat(1000)] {
            assert_eq!(parse(text).err(), Some(CodeError::Shape), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_shown_is_read(bytes: [u8; 4], number in 1u16..=CODE_NUMBER_MAX) {
            let code = Code::generate(&mut |out| out.copy_from_slice(&bytes), number);
            prop_assert!(parse(&code.to_string()) == Ok(code));
        }
    }
}
