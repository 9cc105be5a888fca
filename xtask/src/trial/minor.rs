//! Prices of the data set: converts the decimal numbers in its files to the whole minor units of the shop.

use anyhow::{Context, Result, bail};

/// Maximum number of digits after the decimal point. A price with more digits is an error.
const FRACTION_DIGITS_MAX: usize = 6;
/// Number of ten-thousandths in one minor unit (a penny).
const PARTS_PER_MINOR_UNIT: i64 = 10_000;

/// Exact price as a file contains it, in ten-thousandths of a minor unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExactPrice(i64);

impl ExactPrice {
    /// Reads a decimal such as `2.55`, `-11062.06` or `0.001`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > FRACTION_DIGITS_MAX {
            bail!("`{text}` is not a price");
        }
        let padded = format!("{whole}{fraction:0<FRACTION_DIGITS_MAX$}");
        let parts: i64 = padded.parse().with_context(|| format!("`{text}` is too large for a price"))?;
        Ok(Self(if negative { -parts } else { parts }))
    }

    /// Returns the price in whole minor units, rounded half to even.
    pub(crate) fn rounded(self) -> i64 {
        let floor = self.0.div_euclid(PARTS_PER_MINOR_UNIT);
        let rest = self.0.rem_euclid(PARTS_PER_MINOR_UNIT);
        let up = match rest.cmp(&(PARTS_PER_MINOR_UNIT / 2)) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => floor.rem_euclid(2) == 1,
            std::cmp::Ordering::Greater => true,
        };
        floor + i64::from(up)
    }

    /// Returns true if the price is a whole number of minor units, so that rounding does not change it.
    pub(crate) fn is_whole(self) -> bool {
        self.0 % PARTS_PER_MINOR_UNIT == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, minor: i64, whole: bool) {
        let price = ExactPrice::parse(text).unwrap();
        assert_eq!((price.rounded(), price.is_whole()), (minor, whole), "{text}");
    }

    #[test]
    fn prices_round_half_to_even() {
        check("2.55", 255, true);
        check("2", 200, true);
        check("0.125", 12, false);
        check("0.135", 14, false);
        check("0.1351", 14, false);
        check("0.001", 0, false);
        check("0.005", 0, false);
        check("0.015", 2, false);
        check("-11062.06", -1_106_206, true);
        check("-0.015", -2, false);
        check("-0.005", 0, false);
    }

    #[test]
    fn texts_that_are_not_prices_are_rejected() {
        for text in ["", "-", ".5", "1,5", "1e3", "1.0000001", "99999999999999999999", "+1", " 1"] {
            assert!(ExactPrice::parse(text).is_err(), "{text}");
        }
    }
}
