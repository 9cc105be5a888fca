//! Decimal prices as spreadsheets write them: with a decimal sign, and perhaps with group signs between every
//! three digits.

use souk_domain::text::quoted;

/// Group signs between every three digits. The full stop or the comma is a group sign too, if it is not the
/// decimal sign.
const GROUP_SIGNS: [char; 5] = [' ', '\u{a0}', '\u{202f}', '\'', '\u{2019}'];
/// Number of digits in a group.
const GROUP_DIGITS: usize = 3;

/// Converts a price to the form that the shop reads: `1.250,00` becomes `1250.00`.
pub fn plain(cell: &str, decimal_sign: char) -> Result<String, String> {
    number(cell, decimal_sign).ok_or_else(|| {
        let example = if decimal_sign == ',' { "1.250,00" } else { "1,250.00" };
        format!("price `{}`: must be a decimal number such as {example}", quoted(cell))
    })
}

/// Returns true if the cell contains only digits, perhaps after a minus sign. Whole minor units have this
/// form.
pub fn is_whole(cell: &str) -> bool {
    let cell = cell.trim();
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Converts a price to the form that the shop reads. Returns `None` if it does not fit the decimal sign.
pub fn number(text: &str, decimal_sign: char) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = match digits.split_once(decimal_sign) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !fraction.is_none_or(is_digits) {
        return None;
    }
    let whole = ungrouped(whole, decimal_sign)?;
    Some(match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    })
}

/// Removes the group signs. Returns `None` if a group does not have three digits.
fn ungrouped(whole: &str, decimal_sign: char) -> Option<String> {
    let is_group_sign = |c: char| GROUP_SIGNS.contains(&c) || (matches!(c, '.' | ',') && c != decimal_sign);
    let sign = whole.chars().find(|c| is_group_sign(*c));
    let mut groups = whole.split(|c| Some(c) == sign);
    let first = groups.next().unwrap_or("");
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_first = if sign.is_some() { first.len() <= GROUP_DIGITS } else { true };
    if first.is_empty() || !is_digits(first) || !is_first {
        return None;
    }
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != GROUP_DIGITS || !is_digits(group) {
            return None;
        }
        digits.push_str(group);
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Proves: products.import-prices
    #[test]
    fn prices_are_read_with_their_decimal_sign_and_groups() {
        let check =
            |cell, sign, expected: &str| assert_eq!(plain(cell, sign).as_deref(), Ok(expected), "{cell}");
        check("12,50", ',', "12.50");
        check("1.250,00", ',', "1250.00");
        check(" 1\u{a0}250,5 ", ',', "1250.5");
        check("1250", ',', "1250");
        check("1,250.00", '.', "1250.00");
        check("1'234'567.89", '.', "1234567.89");
        check("-0.05", '.', "-0.05");
    }

    // Proves: products.import-prices
    #[test]
    fn ambiguous_or_malformed_prices_are_refused() {
        for (cell, sign) in [
            ("12.50", ','),
            ("1,25", '.'),
            ("1.2.3", '.'),
            ("1250.000,00", ','),
            ("1.250 000,00", ','),
            ("12,", ','),
            (",5", ','),
            ("", ','),
            ("£12.50", '.'),
            ("oops", '.'),
            ("1e3", '.'),
        ] {
            assert!(plain(cell, sign).is_err(), "{cell}");
        }
    }
}
