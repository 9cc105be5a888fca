//! Values of attributes from a spreadsheet, which writes every value as text.
//!
//! A spreadsheet writes `TRUE` for a boolean, `5.0` for the number 5 and `1E+03` for 1000. An attribute that
//! is a number or a boolean keeps its type if the text can be read as such a value.

use serde_json::Number;

use super::event::{Attribute, AttributeKind};

/// Returns the type and value of an attribute after it was set to a text: the type stays if the text is a
/// value of this type, otherwise it becomes text.
pub(super) fn parse_as(old: &Attribute, text: &str) -> (AttributeKind, String) {
    let read = match old.kind {
        AttributeKind::Text => None,
        AttributeKind::Boolean => truth(text),
        AttributeKind::Number => number(text, &old.value),
    };
    read.map_or_else(|| (AttributeKind::Text, text.to_owned()), |value| (old.kind, value))
}

fn truth(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    matches!(text.as_str(), "true" | "false").then_some(text)
}

/// Returns a number in the form in which it is stored. If the new number equals the old one, the old form
/// stays.
fn number(text: &str, old: &str) -> Option<String> {
    let new = Decimal::of(text.trim())?;
    if Decimal::of(old).as_ref() == Some(&new) {
        return Some(old.to_owned());
    }
    let kept = text.trim().parse::<Number>().ok()?.to_string();
    // A number with too many digits would be rounded, so it stays text.
    (Decimal::of(&kept)? == new).then_some(kept)
}

/// A decimal number in a form that is the same for all equal numbers.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    /// Digits without zeros at the beginning and the end.
    digits: String,
    /// Power of ten of the last digit.
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (number, ""),
        };
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0').trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits, exponent: 0 });
        }
        let zeros = all.len() - all.trim_end_matches('0').len();
        let zeros = i64::try_from(zeros).ok()?;
        let exponent = i64::from(exponent) + zeros - i64::try_from(fraction.len()).ok()?;
        Some(Self { is_negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: AttributeKind, old: &str, text: &str, expected: (AttributeKind, &str)) {
        let old = Attribute { name: "a".into(), kind, value: old.into() };
        let (kind, value) = super::parse_as(&old, text);
        assert_eq!((kind, value.as_str()), expected, "{old:?} {text}");
    }

    #[test]
    fn booleans_and_numbers_stay_what_they_are() {
        let boolean = AttributeKind::Boolean;
        check(boolean, "true", "TRUE", (boolean, "true"));
        check(boolean, "true", "False", (boolean, "false"));
        check(boolean, "true", "perhaps", (AttributeKind::Text, "perhaps"));
        let number = AttributeKind::Number;
        check(number, "5", "5.0", (number, "5"));
        check(number, "5.50", " 5.5 ", (number, "5.50"));
        check(number, "1000", "1E+03", (number, "1000"));
        check(number, "-0.5", "-0.50", (number, "-0.5"));
        check(number, "0", "-0.00", (number, "0"));
        check(number, "5", "7", (number, "7"));
        check(number, "5", "7.25", (number, "7.25"));
        for text in ["five", "", "5,0", "5.", ".5", "0x5", "1e", "-", "5 kg", "9007199254740993.5"] {
            check(number, "5", text, (AttributeKind::Text, text));
        }
        check(number, "9007199254740993", "9007199254740992", (number, "9007199254740992"));
        check(AttributeKind::Text, "TRUE", "true", (AttributeKind::Text, "true"));
    }
}
