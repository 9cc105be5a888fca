//! Texts that people and other systems enter.
//!
//! A [`TextRule`] trims a text, checks what is left, and returns exactly that: nothing longer is stored, whatever
//! stood around it. A rule is for new input. Events are not checked when they are read, so older texts stay as they
//! are.

pub use crate::characters::{is_hidden, shown};
pub use crate::quote::{QUOTED_CHARS_MAX, cut, quoted};
pub use crate::text_rules as rules;

use crate::characters::{is_visible, is_wrapping};

/// Bytes of one character at most, in UTF-8.
const CHAR_BYTES_MAX: usize = 4;

/// The lengths and characters that one kind of text may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextRule {
    /// The fewest characters.
    pub chars_min: usize,
    /// The most characters.
    pub chars_max: usize,
    /// The most bytes, in UTF-8.
    pub bytes_max: usize,
    kind: Kind,
}

/// The characters of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One line: no control characters and none that [`is_hidden`].
    Line,
    /// As a line, with line breaks and tabs.
    Lines,
    /// Text of another system: kept as it came, with any characters. It is not trimmed.
    Foreign,
}

/// The reason why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It has too few or too many characters.
    #[error("{min} to {max} characters are allowed")]
    Length {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// It has too many bytes.
    #[error("at most {max} bytes are allowed")]
    Bytes {
        /// The most.
        max: usize,
    },
    /// It has a control character.
    #[error("control characters are not allowed")]
    Control,
    /// It has a character that [`is_hidden`].
    #[error("the invisible character U+{:04X} is not allowed", u32::from(*.0))]
    Hidden(char),
    /// It needs a character that can be seen, and has none.
    #[error("at least one visible character is needed")]
    Invisible,
}

impl TextError {
    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Length { .. } | Self::Bytes { .. } => "invalid-length",
            Self::Control | Self::Hidden(_) | Self::Invisible => "invalid-text",
        }
    }
}

impl TextRule {
    /// The rule of a line with so many characters.
    pub const fn line(chars_min: usize, chars_max: usize) -> Self {
        Self { chars_min, chars_max, bytes_max: CHAR_BYTES_MAX * chars_max, kind: Kind::Line }
    }

    /// The rule of a text of one or several lines with so many characters.
    pub const fn lines(chars_min: usize, chars_max: usize) -> Self {
        Self { kind: Kind::Lines, ..Self::line(chars_min, chars_max) }
    }

    /// The rule of a text that is kept as another system has it, with so many bytes.
    pub const fn foreign(bytes_max: usize) -> Self {
        Self { chars_min: 0, chars_max: bytes_max, bytes_max, kind: Kind::Foreign }
    }

    /// Trims a text, checks it, and returns exactly what was checked.
    pub fn keep(&self, text: &str) -> Result<String, TextError> {
        let kept = self.trim(text);
        self.check(kept)?;
        Ok(kept.to_owned())
    }

    /// A text without the blanks and the invisible wrapping around it.
    pub fn trim<'a>(&self, text: &'a str) -> &'a str {
        match self.kind {
            Kind::Line | Kind::Lines => text.trim_matches(|c: char| c.is_whitespace() || is_wrapping(c)),
            Kind::Foreign => text,
        }
    }

    /// Checks a text as it is, with the blanks around it.
    pub fn check(&self, text: &str) -> Result<(), TextError> {
        // Bytes first: they are known without a look at the text.
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
    fn a_text_is_trimmed_and_kept_as_it_was_checked() {
        let around = format!("{}Ada{}", " ".repeat(1_000_000), "\u{a0}\t\u{3000}".repeat(1_000));
        assert_eq!(SHORT_NEEDED.keep(&around).unwrap(), "Ada");
        assert_eq!(REASON.keep("\n two\nlines\t").unwrap(), "two\nlines");
        assert_eq!(SHORT.keep("   ").unwrap(), "");
        let length = TextError::Length { min: 1, max: 200 };
        assert_eq!(SHORT_NEEDED.keep("   "), Err(length));
        assert_eq!(SHORT_NEEDED.keep(&format!("a{}b", " ".repeat(199))), Err(length));
        assert_eq!(SHORT_NEEDED.check(&" ".repeat(201)), Err(length));
    }

    #[test]
    fn characters_and_bytes_are_counted_as_they_are_stored() {
        assert_eq!(SHORT.keep(&"🏺".repeat(200)).unwrap().len(), 800);
        assert!(SHORT.keep(&"🏺".repeat(201)).is_err());
        // A letter with a hundred marks is a hundred and one characters.
        assert!(SHORT.keep(&format!("a{}", "\u{301}".repeat(200))).is_err());
        let too_long = TextError::Bytes { max: DESCRIPTION.bytes_max };
        assert_eq!(DESCRIPTION.keep(&"🏺".repeat(DESCRIPTION.bytes_max / 4 + 1)), Err(too_long));
        assert_eq!(ATTRIBUTE_VALUE.keep(" \u{97} ").unwrap(), " \u{97} ");
    }

    #[test]
    fn control_and_hidden_characters_are_refused_in_names() {
        for text in ["a\0b", "a\nb", "a\u{1b}[2Jb", "a\u{9b}b"] {
            assert_eq!(PRODUCT_NAME.keep(text), Err(TextError::Control), "{text:?}");
        }
        for c in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}').chain([
            '\u{2060}',
            '\u{feff}',
            '\u{e0041}',
        ]) {
            for rule in [PRODUCT_NAME, SHORT, REASON_NEEDED] {
                assert_eq!(rule.keep(&format!("gnp{c}exe")), Err(TextError::Hidden(c)), "{c:?}");
            }
        }
        assert_eq!(PRODUCT_NAME.keep("gnp\u{e0041}"), Err(TextError::Hidden('\u{e0041}')));
        let message = TextError::Hidden('\u{202e}').to_string();
        assert_eq!(message, "the invisible character U+202E is not allowed");
    }

    /// Asked of the shop: a phone number that was pasted from a contact list stopped a checkout.
    #[test]
    fn the_wrapping_of_pasted_text_is_trimmed() {
        assert_eq!(SHORT.keep("\u{202d}+44 20 7946 0000\u{202c}").unwrap(), "+44 20 7946 0000");
        assert_eq!(SHORT_NEEDED.keep("\u{feff} Ada \u{202c}\u{2060}").unwrap(), "Ada");
        assert_eq!(SHORT_NEEDED.keep("\u{202e}gnp").unwrap(), "gnp");
        assert!(SHORT_NEEDED.keep("\u{202d}\u{202c}").is_err());
    }

    #[test]
    fn names_of_every_script_are_taken() {
        // Persian and Sinhala join by U+200C and U+200D, Khmer breaks words by U+200B, a Hebrew keyboard types U+200F.
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
            assert_eq!(SHORT_NEEDED.keep(name).unwrap(), name);
        }
    }

    #[test]
    fn a_name_that_nobody_can_see_is_refused() {
        for text in
            ["\u{200b}", "\u{200d}\u{200c}", "\u{3164}", "\u{2800}\u{2800}", "\u{200f}\u{61c}", "\u{fe0f}"]
        {
            assert_eq!(SHORT_NEEDED.keep(text), Err(TextError::Invisible), "{text:?}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_text() {
        assert_eq!(shown("Ada, 3 €"), "Ada, 3 €");
        assert_eq!(shown("a\u{1b}[31mb\u{9b}2J\r\n\u{202e}c"), r"a\u{1b}[31mb\u{9b}2J\u{d}\u{a}\u{202e}c");
    }

    #[test]
    fn quoted_input_is_cut() {
        assert_eq!(quoted("red"), "red");
        assert_eq!(quoted(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(quoted(&"é".repeat(1_000)), format!("{}…", "é".repeat(99)));
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }

    proptest! {
        #[test]
        fn what_is_kept_is_within_its_limits_and_is_kept_again(
            text in r"[ \t\u{a0}\u{3000}\n]{0,300}[a-z\u{301}🏺\u{200d} \t]{0,300}[ \t\u{a0}\u{2003}]{0,300}",
        ) {
            for rule in [SHORT, SHORT_NEEDED, REASON, PRODUCT_NAME, TextRule::foreign(700)] {
                if let Ok(kept) = rule.keep(&text) {
                    prop_assert!((rule.chars_min..=rule.chars_max).contains(&kept.chars().count()));
                    prop_assert!(kept.len() <= rule.bytes_max);
                    prop_assert!(text.contains(&kept));
                    prop_assert_eq!(rule.keep(&kept), Ok(kept));
                }
            }
        }
    }
}
