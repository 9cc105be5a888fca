//! Text comparison that ignores case and spelling variants: Unicode normalization with full case folding.
//! `ΦΩΣ` equals `φως`, and an `é` of one character equals an `é` of two.

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

const CASES: CaseMapperBorrowed<'static> = CaseMapper::new();
const DECOMPOSED: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const COMPOSED: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const COMPOSED_COMPATIBLY: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();

/// Returns the comparison form of a text: two texts that people take for equal have the same form.
///
/// The form is toNFKC(toCasefold(NFKD(text))), the compatibility caseless match of the Unicode Standard,
/// section 3.13.
pub fn comparison_form(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Folds twice: folding can produce text that is not normalized, and misses letters that are not
    // normalized.
    let folded_once = DECOMPOSED.normalize(&CASES.fold_string(&DECOMPOSED.normalize(text))).into_owned();
    COMPOSED_COMPATIBLY.normalize(&CASES.fold_string(&folded_once)).into_owned()
}

/// Returns the search form of a text: its [`comparison_form`], without white space at the ends, and with one
/// space for each run of white space.
pub fn search_form(text: &str) -> String {
    comparison_form(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns a category path in the form in which it is stored and looked up: lower-case parts separated by
/// single slashes, without empty parts, and without extra white space. Control characters stay, so that the
/// text check can refuse them.
pub fn category_path(text: &str) -> String {
    let parts = text.split('/').map(|part| {
        let is_blank = |character: char| character.is_whitespace() && !character.is_control();
        part.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    });
    let path = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    COMPOSED.normalize(&path.to_lowercase()).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_people_take_for_equal_have_the_same_form() {
        for (one, other) in [
            ("ΦΩΣ", "φως"),
            ("Café", "CAFE\u{301}"),
            ("STRASSE", "straße"),
            ("ﬁne", "FINE"),
            ("Ａ１", "a1"),
            ("Å", "a\u{30a}"),
        ] {
            assert_eq!(comparison_form(one), comparison_form(other), "{one} {other}");
        }
        assert_ne!(comparison_form("Cafe"), comparison_form("Café"));
    }

    #[test]
    fn extra_white_space_is_removed_from_the_search_form() {
        for text in ["Garden  Chair", " garden chair ", "garden\u{a0}\u{3000}chair", "GARDEN\tCHAIR"] {
            assert_eq!(search_form(text), "garden chair", "{text}");
        }
        assert_eq!(search_form(" \u{a0} "), "");
    }

    #[test]
    fn different_spellings_of_a_category_have_one_path() {
        for spelling in
            ["garden/tools", "/garden/tools/", "Garden / Tools", "//garden//tools", " GARDEN/tools "]
        {
            assert_eq!(category_path(spelling), "garden/tools", "{spelling}");
        }
        assert_eq!(category_path("Home  Textiles"), "home textiles");
        assert_eq!(category_path("Cafe\u{301}"), "café");
        assert_eq!(category_path(" / "), "");
        assert_eq!(category_path("a\nb"), "a\nb");
    }

    proptest! {
        #[test]
        fn folding_twice_gives_the_same_result(text in any::<String>()) {
            let once = comparison_form(&text);
            prop_assert_eq!(comparison_form(&once), once);
            let path = category_path(&text);
            prop_assert_eq!(category_path(&path), path);
        }
    }
}
