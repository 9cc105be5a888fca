//! Characters that can mislead a reader because they are invisible or change how a text is displayed.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns true for an invisible character that no written language needs.
///
/// These characters are: the overrides, embeddings and isolates of text direction (U+202A to U+202E, U+2066
/// to U+2069), which display letters in another order than they are stored; the line and paragraph
/// separators; joiners, operators and marks that only programs write (U+2060 to U+206F, U+FEFF, U+FFF9 to
/// U+FFFB, musical beams); and tag characters, which can hide a whole text in another text.
///
/// Characters that scripts need are allowed: the joiners U+200C and U+200D (Persian, Indian scripts, emoji),
/// the word break U+200B (Khmer, Thai), the soft hyphen, and the marks U+200E, U+200F and U+061C, which
/// Hebrew and Arabic keyboards type. These marks move only punctuation, never letters.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns true for an invisible character that programs add before or after a copied text, and that can be
/// removed from both ends of the text without loss. Contact lists add U+202D before a phone number and U+202C
/// after it; editors add U+FEFF at the start of a file. Tag characters are excluded, because the flag emoji
/// of a country may end with them.
pub(crate) fn is_wrapping(c: char) -> bool {
    is_hidden(c) && c < '\u{e0000}'
}

/// Returns true for a character that can be seen. A text that contains only other characters looks empty.
pub(crate) fn is_visible(c: char) -> bool {
    let is_filler = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}');
    !c.is_whitespace() && !c.is_control() && !is_hidden(c) && !is_filler
}

/// Returns true for a character that can be seen, or that is a space. Control characters, format characters
/// (Unicode general category Cf), and line and paragraph separators are not printable.
pub(crate) fn is_printable(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !is_format
}

/// Returns a text that is safe to print on a terminal. Control characters and hidden characters are written
/// as escapes such as `\u{1b}`, so that a text from a file or a request moves no cursor and changes no color.
pub fn escaped_for_terminal(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() || is_hidden(c);
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            // Writing to a `String` never fails.
            let _ = write!(escaped, "{}", c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}
