//! Texts as people compare them: Unicode normalisation with full case folding, so that `ΦΩΣ` is `φως` and an `é` of one
//! character is an `é` of two.

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

const CASES: CaseMapperBorrowed<'static> = CaseMapper::new();
const DECOMPOSED: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const COMPOSED: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const COMPOSED_COMPATIBLY: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();

/// The form in which two texts are equal when people take them for equal: toNFKC(toCasefold(NFKD(text))), which is the
/// compatibility caseless match of the Unicode Standard, section 3.13.
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Folding can undo the normal form, and a form that is not normal hides letters from folding.
    let once = DECOMPOSED.normalize(&CASES.fold_string(&DECOMPOSED.normalize(text))).into_owned();
    COMPOSED_COMPATIBLY.normalize(&CASES.fold_string(&once)).into_owned()
}

/// The form in which a text is looked for in another: [`folded`], without blanks around it, and with one blank for each
/// run of them.
pub fn searched(text: &str) -> String {
    folded(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The path of a category in the one form in which it is stored and looked up: parts in small letters, each separated
/// by one slash, without blanks around or doubled within, and without a slash at either end. Control characters stay,
/// for the check of texts to refuse.
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
    fn texts_that_people_take_for_equal_fold_to_one() {
        for (one, other) in [
            ("ΦΩΣ", "φως"),
            ("Café", "CAFE\u{301}"),
            ("STRASSE", "straße"),
            ("ﬁne", "FINE"),
            ("Ａ１", "a1"),
            ("Å", "a\u{30a}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("Cafe"), folded("Café"));
    }

    #[test]
    fn blanks_around_and_doubled_are_not_looked_for() {
        for text in ["Garden  Chair", " garden chair ", "garden\u{a0}\u{3000}chair", "GARDEN\tCHAIR"] {
            assert_eq!(searched(text), "garden chair", "{text}");
        }
        assert_eq!(searched(" \u{a0} "), "");
    }

    #[test]
    fn spellings_of_a_category_are_one_path() {
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
        fn folding_twice_changes_nothing_more(text in any::<String>()) {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once);
            let path = category_path(&text);
            prop_assert_eq!(category_path(&path), path);
        }
    }
}
