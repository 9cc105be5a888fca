//! Quotes of input in messages.

/// Maximum characters of input that a message quotes.
pub const QUOTED_CHARS_MAX: usize = 100;
/// Last character of a text that was cut.
const CUT: char = '…';

/// Returns input for a quote in a message, cut to at most [`QUOTED_CHARS_MAX`] characters.
pub fn quoted(text: &str) -> String {
    // Takes one character more than fits, so that `truncate` notices a longer text.
    truncate(text.chars().take(QUOTED_CHARS_MAX + 1).collect::<String>(), QUOTED_CHARS_MAX)
}

/// Cuts a text to at most `chars_max` characters. If characters were removed, the last one is `…`.
pub fn truncate(text: impl Into<String>, chars_max: usize) -> String {
    let mut text = text.into();
    // A text has no more characters than bytes.
    if text.len() > chars_max && text.chars().nth(chars_max).is_some() {
        let end = text.char_indices().nth(chars_max.saturating_sub(1)).map_or(0, |(end, _)| end);
        text.truncate(end);
        text.push(CUT);
    }
    text
}
