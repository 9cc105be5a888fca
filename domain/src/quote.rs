//! Input that a message quotes.

/// Characters of input that a message quotes.
pub const QUOTED_CHARS_MAX: usize = 100;
/// The end of a text that was cut.
const CUT: char = '…';

/// Input as a message quotes it: at most [`QUOTED_CHARS_MAX`] characters.
pub fn quoted(text: &str) -> String {
    // One character more than fits, so that a text that is cut says so.
    cut(text.chars().take(QUOTED_CHARS_MAX + 1).collect::<String>(), QUOTED_CHARS_MAX)
}

/// A text of at most `chars_max` characters; the last one says that more followed.
pub fn cut(text: impl Into<String>, chars_max: usize) -> String {
    let mut text = text.into();
    // A text has no more characters than bytes.
    if text.len() > chars_max && text.chars().nth(chars_max).is_some() {
        let end = text.char_indices().nth(chars_max.saturating_sub(1)).map_or(0, |(end, _)| end);
        text.truncate(end);
        text.push(CUT);
    }
    text
}
