//! Checks of texts that people and other systems enter.
//!
//! A [`TextRule`] trims a text, checks the rest, and returns exactly that rest. Only the checked text is
//! stored, so white space around it never counts. A rule applies to new input only: texts in old events are
//! not checked again when they are read.

pub use crate::characters::{escaped_for_terminal, is_hidden};
pub use crate::quote::{QUOTED_CHARS_MAX, quoted, truncate};
pub use crate::text_rules as rules;

use crate::characters::{is_visible, is_wrapping};

/// Maximum number of bytes of one character in UTF-8.
const CHAR_BYTES_MAX: usize = 4;

/// The lengths and characters that one kind of text may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextRule {
    /// Minimum number of characters.
    pub chars_min: usize,
    /// Maximum number of characters.
    pub chars_max: usize,
    /// Maximum number of bytes in UTF-8.
    pub bytes_max: usize,
    kind: Kind,
}

/// The kind of a text: the characters that it may have, and how it is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One line: no control characters, and no characters that [`is_hidden`].
    Line,
    /// One or several lines: like `Line`, but line breaks and tabs are allowed.
    Lines,
    /// Text from another system: stored unchanged, with any characters, and not trimmed.
    Foreign,
}

/// Reason why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text has too few or too many characters.
    #[error("{min} to {max} characters are allowed")]
    Length {
        /// Minimum number of characters.
        min: usize,
        /// Maximum number of characters.
        max: usize,
    },
    /// The text has too many bytes.
    #[error("at most {max} bytes are allowed")]
    Bytes {
        /// Maximum number of bytes in UTF-8.
        max: usize,
    },
    /// The text contains a control character.
    #[error("control characters are not allowed")]
    Control,
    /// The text contains a character that [`is_hidden`].
    #[error("the invisible character U+{:04X} is not allowed", u32::from(*.0))]
    Hidden(char),
    /// The text must have a visible character, but has none.
    #[error("at least one visible character is needed")]
    Invisible,
}

impl TextError {
    /// Returns the stable code of the error.
    pub fn code(self) -> &'static str {
        match self {
            Self::Length { .. } | Self::Bytes { .. } => "invalid-length",
            Self::Control | Self::Hidden(_) | Self::Invisible => "invalid-text",
        }
    }
}

impl TextRule {
    /// Returns a rule for a text of one line.
    pub const fn line(chars_min: usize, chars_max: usize) -> Self {
        Self { chars_min, chars_max, bytes_max: CHAR_BYTES_MAX * chars_max, kind: Kind::Line }
    }

    /// Returns a rule for a text of one or several lines.
    pub const fn lines(chars_min: usize, chars_max: usize) -> Self {
        Self { kind: Kind::Lines, ..Self::line(chars_min, chars_max) }
    }

    /// Returns a rule for a text from another system, with a maximum number of bytes.
    pub const fn external(bytes_max: usize) -> Self {
        Self { chars_min: 0, chars_max: bytes_max, bytes_max, kind: Kind::Foreign }
    }

    /// Trims and checks a text. Returns the trimmed text.
    pub fn trim_and_check(&self, text: &str) -> Result<String, TextError> {
        let kept = self.trim(text);
        self.check(kept)?;
        Ok(kept.to_owned())
    }

    /// Returns a text without white space and invisible characters at its ends. A text from another system is
    /// returned unchanged.
    pub fn trim<'a>(&self, text: &'a str) -> &'a str {
        match self.kind {
            Kind::Line | Kind::Lines => text.trim_matches(|c: char| c.is_whitespace() || is_wrapping(c)),
            Kind::Foreign => text,
        }
    }

    /// Checks a text without trimming it first.
    pub fn check(&self, text: &str) -> Result<(), TextError> {
        // The number of bytes is checked first, because it is known without reading the text.
        if text.len() > self.bytes_max {
            return Err(match self.kind {
                Kind::Foreign => TextError::Bytes { max: self.bytes_max },
                Kind::Line | Kind::Lines => self.wrong_length(),
            });
        }
        if !(self.chars_min..=self.chars_max).contains(&text.chars().count()) {
            return Err(self.wrong_length());
        }
        if self.kind == Kind::Foreign {
            return Ok(());
        }
        if let Some(wrong) = text.chars().find_map(|c| self.wrong_character(c)) {
            return Err(wrong);
        }
        if self.chars_min > 0 && !text.chars().any(is_visible) {
            return Err(TextError::Invisible);
        }
        Ok(())
    }

    fn wrong_length(&self) -> TextError {
        TextError::Length { min: self.chars_min, max: self.chars_max }
    }

    fn wrong_character(&self, c: char) -> Option<TextError> {
        if self.kind == Kind::Lines && matches!(c, '\n' | '\r' | '\t') {
            return None;
        }
        if c.is_control() {
            return Some(TextError::Control);
        }
        is_hidden(c).then_some(TextError::Hidden(c))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::rules::{
        ATTRIBUTE_VALUE, DESCRIPTION, PRODUCT_NAME, REASON, REASON_NEEDED, SHORT, SHORT_NEEDED,
    };
    use super::*;

    #[test]
    fn a_text_is_trimmed_before_it_is_checked_and_stored() {
        let around = format!("{}Ada{}", " ".repeat(1_000_000), "\u{a0}\t\u{3000}".repeat(1_000));
        assert_eq!(SHORT_NEEDED.trim_and_check(&around).unwrap(), "Ada");
        assert_eq!(REASON.trim_and_check("\n two\nlines\t").unwrap(), "two\nlines");
        assert_eq!(SHORT.trim_and_check("   ").unwrap(), "");
        let length = TextError::Length { min: 1, max: 200 };
        assert_eq!(SHORT_NEEDED.trim_and_check("   "), Err(length));
        assert_eq!(SHORT_NEEDED.trim_and_check(&format!("a{}b", " ".repeat(199))), Err(length));
        assert_eq!(SHORT_NEEDED.check(&" ".repeat(201)), Err(length));
    }

    #[test]
    fn characters_and_bytes_are_counted_as_they_are_stored() {
        assert_eq!(SHORT.trim_and_check(&"🏺".repeat(200)).unwrap().len(), 800);
        assert!(SHORT.trim_and_check(&"🏺".repeat(201)).is_err());
        // Each combining mark counts as one character.
        assert!(SHORT.trim_and_check(&format!("a{}", "\u{301}".repeat(200))).is_err());
        let too_long = TextError::Bytes { max: DESCRIPTION.bytes_max };
        assert_eq!(DESCRIPTION.trim_and_check(&"🏺".repeat(DESCRIPTION.bytes_max / 4 + 1)), Err(too_long));
        assert_eq!(ATTRIBUTE_VALUE.trim_and_check(" \u{97} ").unwrap(), " \u{97} ");
    }

    #[test]
    fn control_and_hidden_characters_are_refused_in_names() {
        for text in ["a\0b", "a\nb", "a\u{1b}[2Jb", "a\u{9b}b"] {
            assert_eq!(PRODUCT_NAME.trim_and_check(text), Err(TextError::Control), "{text:?}");
        }
        for c in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}').chain([
            '\u{2060}',
            '\u{feff}',
            '\u{e0041}',
        ]) {
            for rule in [PRODUCT_NAME, SHORT, REASON_NEEDED] {
                assert_eq!(rule.trim_and_check(&format!("gnp{c}exe")), Err(TextError::Hidden(c)), "{c:?}");
            }
        }
        assert_eq!(PRODUCT_NAME.trim_and_check("gnp\u{e0041}"), Err(TextError::Hidden('\u{e0041}')));
        let message = TextError::Hidden('\u{202e}').to_string();
        assert_eq!(message, "the invisible character U+202E is not allowed");
    }

    /// Regression test: a phone number pasted from a contact list made a checkout fail.
    #[test]
    fn the_wrapping_of_pasted_text_is_trimmed() {
        assert_eq!(SHORT.trim_and_check("\u{202d}+44 20 7946 0000\u{202c}").unwrap(), "+44 20 7946 0000");
        assert_eq!(SHORT_NEEDED.trim_and_check("\u{feff} Ada \u{202c}\u{2060}").unwrap(), "Ada");
        assert_eq!(SHORT_NEEDED.trim_and_check("\u{202e}gnp").unwrap(), "gnp");
        assert!(SHORT_NEEDED.trim_and_check("\u{202d}\u{202c}").is_err());
    }

    #[test]
    fn names_of_every_script_are_taken() {
        // Persian and Sinhala need the joiners U+200C and U+200D, Khmer breaks words with U+200B, and
        // Hebrew keyboards type U+200F.
        for name in [
            "نمی\u{200c}دانم",
            "ශ්\u{200d}රී ලංකා",
            "សួស្តី\u{200b}ពិភពលោក",
            "רחוב 5\u{200f}",
            "O\u{2019}Neill-Müller",
            "Nguye\u{302}\u{303}n",
            "👩\u{200d}👩\u{200d}👧",
            "Wohn\u{ad}zimmer",
        ] {
            assert_eq!(SHORT_NEEDED.trim_and_check(name).unwrap(), name);
        }
    }

    #[test]
    fn a_name_without_visible_characters_is_refused() {
        for text in
            ["\u{200b}", "\u{200d}\u{200c}", "\u{3164}", "\u{2800}\u{2800}", "\u{200f}\u{61c}", "\u{fe0f}"]
        {
            assert_eq!(SHORT_NEEDED.trim_and_check(text), Err(TextError::Invisible), "{text:?}");
        }
    }

    #[test]
    fn control_sequences_for_terminals_are_escaped() {
        assert_eq!(escaped_for_terminal("Ada, 3 €"), "Ada, 3 €");
        assert_eq!(
            escaped_for_terminal("a\u{1b}[31mb\u{9b}2J\r\n\u{202e}c"),
            r"a\u{1b}[31mb\u{9b}2J\u{d}\u{a}\u{202e}c"
        );
    }

    #[test]
    fn quoted_input_is_cut() {
        assert_eq!(quoted("red"), "red");
        assert_eq!(quoted(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(quoted(&"é".repeat(1_000)), format!("{}…", "é".repeat(99)));
        assert_eq!(truncate("abc", 3), "abc");
        assert_eq!(truncate("abcd", 3), "ab…");
    }

    proptest! {
        #[test]
        fn an_accepted_text_is_within_its_limits_and_is_accepted_again(
            text in r"[ \t\u{a0}\u{3000}\n]{0,300}[a-z\u{301}🏺\u{200d} \t]{0,300}[ \t\u{a0}\u{2003}]{0,300}",
        ) {
            for rule in [SHORT, SHORT_NEEDED, REASON, PRODUCT_NAME, TextRule::external(700)] {
                if let Ok(kept) = rule.trim_and_check(&text) {
                    prop_assert!((rule.chars_min..=rule.chars_max).contains(&kept.chars().count()));
                    prop_assert!(kept.len() <= rule.bytes_max);
                    prop_assert!(text.contains(&kept));
                    prop_assert_eq!(rule.trim_and_check(&kept), Ok(kept));
                }
            }
        }
    }
}
