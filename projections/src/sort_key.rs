//! Keys that sort texts as people do: those of the Unicode Collation Algorithm, in the order of CLDR's root.
//!
//! A key is in hexadecimal digits, which every database sorts as it sorts the bytes. Another version of the
//! collation's data may make other keys: the version of each read model that holds keys is raised with it.

use std::fmt::Write as _;
use std::sync::LazyLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{CollatorBorrowed, CollatorPreferences};

static ROOT: LazyLock<CollatorBorrowed<'static>> = LazyLock::new(|| {
    CollatorBorrowed::try_new(CollatorPreferences::default(), CollatorOptions::default())
        .expect("the root collation is part of the program")
});

/// The key of a text. Equal texts that differ in case or accents alone stand beside each other, small letters first.
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
    fn texts_sort_as_people_sort_them() {
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

    /// Keys are stored, so another version of the data must be noticed.
    #[test]
    fn a_key_is_the_same_as_in_the_read_models_of_today() {
        assert_eq!(sort_key("Zinc lamp"), "5d3b452f04412b4349010d01dc0c");
    }
}
