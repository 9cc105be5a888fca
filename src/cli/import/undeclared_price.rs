//! Prices such as `£12.50` in a file whose prices should be whole minor units.
//!
//! One such price means that the whole file is written that way: beside `£12.50`, a price of `6` means six
//! pounds and not six pence. So one such price refuses the whole file. The message suggests the option that
//! fits all of these prices.

use souk_domain::money;
use souk_domain::text::quoted;

use super::decimal;
use super::line::InputLine;

/// Words beside a number that make it an amount of money, in addition to currency codes. `e` stands for
/// spreadsheet numbers such as `1.2E+03`.
const WORDS: [&str; 10] = ["e", "kr", "rs", "zł", "kč", "ft", "lei", "fr", "sfr", "euro"];

/// Price that is not written in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndeclaredPrice {
    /// Text of the cell.
    cell: String,
    /// Value of the price if the decimal sign is a point. `None` if it can't be read that way.
    with_point: Option<String>,
    /// Value of the price if the decimal sign is a comma. `None` if it can't be read that way.
    with_comma: Option<String>,
}

impl UndeclaredPrice {
    /// Reads the cell. Returns `None` if it contains minor units, or no amount of money at all.
    pub fn of(cell: &str) -> Option<Self> {
        if decimal::is_whole(cell) || !(has_broken_number(cell) || is_money(cell)) {
            return None;
        }
        let with_point = decimal::number(cell, '.');
        let with_comma = decimal::number(cell, ',');
        Some(Self { cell: cell.trim().to_owned(), with_point, with_comma })
    }

    /// Returns the decimal sign if the price can be read with only one of them.
    fn sign(&self) -> Option<char> {
        match (&self.with_point, &self.with_comma) {
            (Some(_), None) => Some('.'),
            (None, Some(_)) => Some(','),
            _ => None,
        }
    }
}

/// Returns true if a digit is beside a full stop or a comma, as in `.50`, `12,-` or `12.50*`.
fn has_broken_number(cell: &str) -> bool {
    let characters: Vec<char> = cell.chars().collect();
    let is_sign = |c: char| matches!(c, '.' | ',');
    characters
        .windows(2)
        .any(|pair| (pair[0].is_numeric() && is_sign(pair[1])) || (is_sign(pair[0]) && pair[1].is_numeric()))
}

/// Returns true if the cell contains digits and otherwise only signs and currency words, as in `£5`, `5 EUR`
/// or `1 250`.
fn is_money(cell: &str) -> bool {
    let mut words = cell.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let is_currency = |word: &str| {
        WORDS.contains(&word.to_lowercase().as_str()) || money::currency(&word.to_uppercase()).is_some()
    };
    cell.chars().any(char::is_numeric) && words.all(is_currency)
}

/// Prices of a file that are not written in minor units.
#[derive(Debug, Default)]
pub struct UndeclaredPrices {
    /// First such price, and its line number.
    first: Option<(u64, UndeclaredPrice)>,
    /// First price that can have only a decimal point.
    with_point: Option<(u64, UndeclaredPrice)>,
    /// First price that can have only a decimal comma.
    with_comma: Option<(u64, UndeclaredPrice)>,
}

impl UndeclaredPrices {
    /// Records the price of a line.
    pub fn record(&mut self, line: &InputLine) {
        let Some(price) = &line.undeclared_price else { return };
        let place = match price.sign() {
            Some('.') => &mut self.with_point,
            Some(_) => &mut self.with_comma,
            None => &mut self.first,
        };
        place.get_or_insert_with(|| (line.number, price.clone()));
        self.first.get_or_insert_with(|| (line.number, price.clone()));
    }

    /// Returns the reason why the file is refused, with advice. Returns `None` if all prices are minor units.
    pub fn refusal(&self) -> Option<String> {
        let (line, first) = self.first.as_ref()?;
        let cell = quoted(&first.cell);
        let advice = match (&self.with_point, &self.with_comma) {
            (Some((line, _)), None) => declared('.', *line),
            (None, Some((line, _))) => declared(',', *line),
            (Some((point, _)), Some((comma, _))) => format!(
                "line {point} has a decimal point and line {comma} a decimal comma: write all prices with the same \
                decimal sign, and name it with --decimal"
            ),
            (None, None) => doubtful(first),
        };
        Some(format!(
            "column `price`, line {line}: price `{cell}`: must be a whole number of minor units; {advice}"
        ))
    }
}

fn declared(sign: char, line: u64) -> String {
    format!("use --decimal {sign} if the prices are decimal numbers, as in line {line}")
}

/// Returns the advice for a price with an unclear decimal sign.
fn doubtful(price: &UndeclaredPrice) -> String {
    let UndeclaredPrice { with_point: Some(point), with_comma: Some(comma), .. } = price else {
        return "write only a number, such as 5 or 0.50; use --decimal . or --decimal , if the prices are decimal numbers"
            .to_owned();
    };
    if point == comma {
        return format!(
            "write {point} if it is minor units; use --decimal . or --decimal , if the prices are decimal numbers"
        );
    }
    format!(
        "it means {comma} with --decimal , and {point} with --decimal . (few currencies have three decimal digits); \
        write minor units without a sign between digits"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(cells: &[&str]) -> Option<String> {
        let mut prices = UndeclaredPrices::default();
        for (number, cell) in (2..).zip(cells) {
            let undeclared_price = UndeclaredPrice::of(cell);
            prices.record(&InputLine {
                number,
                product: Err(String::new()),
                warnings: Vec::new(),
                raw: None,
                undeclared_price,
            });
        }
        prices.refusal()
    }

    #[test]
    fn amounts_of_money_are_distinguished_from_minor_units_and_words() {
        for cell in [
            "£5",
            "£12.50",
            "12.50 GBP",
            "12,50 €",
            ".50",
            "12.",
            "12,-",
            "+5",
            "5 EUR",
            "eur 5",
            "5 kr",
            "Rs. 500",
            "1 250",
            "1'250",
            "1.2.3",
            "(5)",
            "1.2E+03",
            "1e3",
            "$ 5",
            "٥",
            "12.50*",
            "1\u{a0}250,00",
        ] {
            assert!(UndeclaredPrice::of(cell).is_some(), "{cell}");
        }
        for cell in ["", "5", " 5 ", "-5", "oops", "n/a", "-", "see 5", "A5", "a.b", "99999999999999999999"] {
            assert_eq!(UndeclaredPrice::of(cell), None, "{cell}");
        }
    }

    #[test]
    fn the_advice_names_the_decimal_sign_of_the_prices_in_the_file() {
        for (cells, words) in [
            (&["12,50"][..], "use --decimal , if"),
            (&["1.250,00"], "use --decimal , if"),
            (&["12.50"], "use --decimal . if"),
            (&["1.250", "12,50"], "use --decimal , if"),
            (&["£5", "6", "7.50"], "use --decimal . if the prices are decimal numbers, as in line 4"),
            (&["1.250"], "it means 1250 with --decimal , and 1.250 with --decimal ."),
            (&["1,250"], "it means 1.250 with --decimal , and 1250 with --decimal ."),
            (&["1 250"], "write 1250 if it is minor units"),
            (&["£5"], "write only a number"),
            (&["12,50", "12.50"], "line 3 has a decimal point and line 2 a decimal comma"),
        ] {
            let refusal = refusal(cells).unwrap_or_default();
            assert!(refusal.starts_with("column `price`, line 2: price `"), "{cells:?}: {refusal}");
            assert!(refusal.contains(words), "{cells:?}: {refusal}");
        }
        assert_eq!(refusal(&["5", "oops"]), None);
    }

    #[test]
    fn the_values_in_the_advice_are_those_that_an_import_reads() {
        let price = UndeclaredPrice::of("1.250").unwrap();
        assert_eq!(decimal::plain("1.250", ',').ok(), price.with_comma);
        assert_eq!(decimal::plain("1.250", '.').ok(), price.with_point);
    }
}
