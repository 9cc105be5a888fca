//! Sort keys: texts whose byte order is the alphabetical order of names.
//!
//! Source: Unicode Collation Algorithm with the root collation of CLDR.
//!
//! Invariants: a key consists of hexadecimal digits, which every database sorts like the bytes of the key.
//! Another version of the collation data may give other keys, so a new version of the data needs a higher
//! version of each read model that holds sort keys.

use std::fmt::Write as _;
use std::sync::LazyLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{CollatorBorrowed, CollatorPreferences};

static ROOT: LazyLock<CollatorBorrowed<'static>> = LazyLock::new(|| {
    CollatorBorrowed::try_new(CollatorPreferences::default(), CollatorOptions::default())
        .expect("the root collation is compiled into the program")
});

/// Returns the sort key of a text. Texts that differ only in case or accents are next to each other, lower
/// case first.
pub fn sort_key(text: &str) -> String {
    let mut bytes = Vec::with_capacity(4 * text.len());
    let Ok(()) = ROOT.write_sort_key_to(text, &mut bytes);
    let mut key = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(key, "{byte:02x}");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_give_the_alphabetical_order() {
        let sorted = [
            "100% wool",
            "apple",
            "Apple",
            "Áugusta",
            "augustus",
            "Mug",
            "Øre",
            "Zinc",
            "φως",
            "\u{42f}blue",
        ];
        let mut texts = sorted;
        texts.reverse();
        texts.sort_by_key(|text| sort_key(text));
        assert_eq!(texts, sorted);
        assert_eq!(sort_key("Café"), sort_key("Cafe\u{301}"));
    }

    /// Read models store sort keys. This test fails if a new version of the collation data changes them.
    #[test]
    fn a_sort_key_equals_the_key_in_stored_read_models() {
        assert_eq!(sort_key("Zinc lamp"), "5d3b452f04412b4349010d01dc0c");
    }
}
