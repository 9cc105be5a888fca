//! Amounts of money, in minor units of an ISO 4217 currency. No floating-point number is used.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An ISO 4217 currency, serialized as its three-letter code.
pub type Currency = iso_currency::Currency;

/// Returns the currency of a code. Currencies without a minor unit, such as gold, cannot be used for prices
/// and give `None`.
pub fn currency(code: &str) -> Option<Currency> {
    Currency::from_code(code).filter(|currency| currency.exponent().is_some())
}

/// Reason why a text is not an amount of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is not a decimal number.
    #[error("a decimal number is allowed, such as 12.50 or 12")]
    NoNumber,
    /// The number has more decimal digits than the currency.
    #[error("{} has at most {} decimal digits", .0.code(), digits(*.0))]
    Digits(Currency),
    /// The amount does not fit into 64 bits.
    #[error("the amount is too large")]
    Overflow,
}

/// Returns the number of decimal digits of a currency.
fn digits(currency: Currency) -> usize {
    usize::from(currency.exponent().unwrap_or(0))
}

/// Converts a decimal number to minor units: 1250 for `12.50` GBP. Never rounds.
pub fn minor_units(decimal: &str, currency: Currency) -> Result<i64, DecimalError> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (sign, number) = match decimal.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", decimal),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
        Some(_) => return Err(DecimalError::NoNumber),
        None => (number, ""),
    };
    if !is_digits(whole) {
        return Err(DecimalError::NoNumber);
    }
    let digits = digits(currency);
    if fraction.len() > digits {
        return Err(DecimalError::Digits(currency));
    }
    format!("{sign}{whole}{fraction:0<digits$}").parse().map_err(|_| DecimalError::Overflow)
}

/// An amount of money. `{"amount":255,"currency":"GBP"}` is £2.55.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Amount in minor units (pence, cents, yen). Negative only in differences.
    pub amount: i64,
    /// Currency of the amount.
    pub currency: Currency,
}

/// Reason why amounts cannot be added or multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The amounts have different currencies.
    #[error("{} and {} cannot be added: convert one of them first", .0.code(), .1.code())]
    Currencies(Currency, Currency),
    /// The result does not fit into 64 bits.
    #[error("the sum is too large")]
    Overflow,
}

impl Money {
    /// Returns an amount of a currency.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Returns a zero amount of a currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { amount: 0, currency }
    }

    /// Returns the sum of two amounts of the same currency.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.combined(other, i64::checked_add)
    }

    /// Returns the amount multiplied by a number of units.
    pub fn times(self, units: u32) -> Result<Self, MoneyError> {
        let amount = self.amount.checked_mul(i64::from(units)).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    fn combined(self, other: Self, operation: fn(i64, i64) -> Option<i64>) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Currencies(self.currency, other.currency));
        }
        let amount = operation(self.amount, other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = digits(self.currency);
        let unit = 10_u64.pow(u32::try_from(digits).unwrap_or(0));
        let sign = if self.amount < 0 { "-" } else { "" };
        let amount = self.amount.unsigned_abs();
        let whole = amount / unit;
        let rest = amount % unit;
        match digits {
            0 => write!(f, "{sign}{whole} {}", self.currency.code()),
            _ => write!(f, "{sign}{whole}.{rest:0digits$} {}", self.currency.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_has_a_code_and_a_minor_unit() {
        assert_eq!(currency("JPY"), Some(Currency::JPY));
        for none in ["XAU", "XTS", "gbp", "ZZZ", ""] {
            assert_eq!(currency(none), None, "{none}");
        }
    }

    #[test]
    fn money_is_written_with_the_digits_of_its_currency() {
        assert_eq!(Money::new(255, Currency::GBP).to_string(), "2.55 GBP");
        assert_eq!(Money::new(-5, Currency::EUR).to_string(), "-0.05 EUR");
        assert_eq!(Money::new(1200, Currency::JPY).to_string(), "1200 JPY");
    }

    // Proves: products.import-prices
    #[test]
    fn decimal_numbers_become_minor_units_without_rounding() {
        let check = |text, currency, expected| assert_eq!(minor_units(text, currency), expected, "{text}");
        check("12.50", Currency::GBP, Ok(1_250));
        check("12.5", Currency::GBP, Ok(1_250));
        check("12", Currency::GBP, Ok(1_200));
        check("0.07", Currency::GBP, Ok(7));
        check("-0.05", Currency::GBP, Ok(-5));
        check("1200", Currency::JPY, Ok(1_200));
        check("1.005", Currency::BHD, Ok(1_005));
        check("12.505", Currency::GBP, Err(DecimalError::Digits(Currency::GBP)));
        check("12.0", Currency::JPY, Err(DecimalError::Digits(Currency::JPY)));
        check("99999999999999999999", Currency::GBP, Err(DecimalError::Overflow));
        for text in ["", "-", ".5", "5.", "1,5", "1.2.3", "+1", "1e3", " 1", "--1", "١"] {
            check(text, Currency::GBP, Err(DecimalError::NoNumber));
        }
        assert_eq!(DecimalError::Digits(Currency::GBP).to_string(), "GBP has at most 2 decimal digits");
    }

    // Proves: common.exact-money
    #[test]
    fn sums_of_different_currencies_and_overflows_are_refused() {
        let pound = Money::new(100, Currency::GBP);
        assert_eq!(
            pound.plus(Money::new(1, Currency::EUR)),
            Err(MoneyError::Currencies(Currency::GBP, Currency::EUR))
        );
        assert_eq!(Money::new(i64::MAX, Currency::GBP).plus(pound), Err(MoneyError::Overflow));
        assert_eq!(Money::new(i64::MAX, Currency::GBP).times(2), Err(MoneyError::Overflow));
    }

    // Proves: common.exact-money
    #[test]
    fn sums_are_exact_and_may_be_negative() {
        let pounds = |amount| Money::new(amount, Currency::GBP);
        assert_eq!(pounds(255).plus(pounds(-300)), Ok(pounds(-45)));
        assert_eq!(pounds(i64::MIN).plus(pounds(-1)), Err(MoneyError::Overflow));
        assert_eq!(
            pounds(1).plus(Money::zero(Currency::JPY)).unwrap_err().to_string(),
            "GBP and JPY cannot be added: convert one of them first"
        );
        assert_eq!(pounds(239).times(10), Ok(pounds(2_390)));
        assert_eq!(pounds(239).times(0), Ok(Money::zero(Currency::GBP)));
    }

    #[test]
    fn amounts_with_three_digits_and_extreme_amounts_are_written_correctly() {
        assert_eq!(Money::new(1_005, Currency::BHD).to_string(), "1.005 BHD");
        assert_eq!(Money::new(i64::MIN, Currency::GBP).to_string(), "-92233720368547758.08 GBP");
        assert_eq!(Money::zero(Currency::GBP).to_string(), "0.00 GBP");
    }

    // Proves: common.exact-money
    #[test]
    fn json_has_only_minor_units_and_a_currency_code() {
        let json = r#"{"amount":255,"currency":"GBP"}"#;
        let money = Money::new(255, Currency::GBP);
        assert_eq!(serde_json::to_string(&money).unwrap(), json);
        assert_eq!(serde_json::from_str::<Money>(json).unwrap(), money);
        let refused = [
            r#"{"amount":2.55,"currency":"GBP"}"#,
            r#"{"amount":"255","currency":"GBP"}"#,
            r#"{"amount":255,"currency":"XYZ"}"#,
            r#"{"amount":255}"#,
            r#"{"amount":255,"currency":"GBP","rate":1}"#,
            r#"{"amount":9223372036854775808,"currency":"GBP"}"#,
        ];
        for json in refused {
            assert!(serde_json::from_str::<Money>(json).is_err(), "{json}");
        }
    }
}
