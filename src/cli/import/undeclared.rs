//! Prices that are written as amounts of money, in a file whose prices are minor units.
//!
//! One of them tells that the whole file is written so: beside `£12.50`, a price of `6` means six pounds and no six
//! pence. So the first one refuses the file, and the message says what all of them together tell about it.

use souk_domain::money;
use souk_domain::text::quoted;

use super::decimal;
use super::line::InputLine;

/// Words beside a number that make it an amount of money, besides the codes of currencies. `e` is the one of numbers as
/// spreadsheets write them, in `1.2E+03`.
const WORDS: [&str; 10] = ["e", "kr", "rs", "zł", "kč", "ft", "lei", "fr", "sfr", "euro"];

/// A price that is written as an amount of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undeclared {
    /// The cell.
    cell: String,
    /// Its value with a decimal point, if it has one so.
    with_point: Option<String>,
    /// Its value with a decimal comma, if it has one so.
    with_comma: Option<String>,
}

impl Undeclared {
    /// The price in a cell; none in minor units, and none in a cell that is no amount of money.
    pub fn of(cell: &str) -> Option<Self> {
        if decimal::is_whole(cell) || !(has_broken_number(cell) || is_money(cell)) {
            return None;
        }
        let with_point = decimal::number(cell, '.');
        let with_comma = decimal::number(cell, ',');
        Some(Self { cell: cell.trim().to_owned(), with_point, with_comma })
    }

    /// The decimal sign of a price that can be read with that one only.
    fn sign(&self) -> Option<char> {
        match (&self.with_point, &self.with_comma) {
            (Some(_), None) => Some('.'),
            (None, Some(_)) => Some(','),
            _ => None,
        }
    }
}

/// True for a digit beside a full stop or a comma, as in `.50`, `12,-` or `12.50*`.
fn has_broken_number(cell: &str) -> bool {
    let characters: Vec<char> = cell.chars().collect();
    let is_sign = |c: char| matches!(c, '.' | ',');
    characters
        .windows(2)
        .any(|pair| (pair[0].is_numeric() && is_sign(pair[1])) || (is_sign(pair[0]) && pair[1].is_numeric()))
}

/// True for digits with nothing beside them but signs and the words of currencies, as in `£5`, `5 EUR` or `1 250`.
fn is_money(cell: &str) -> bool {
    let mut words = cell.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let is_currency = |word: &str| {
        WORDS.contains(&word.to_lowercase().as_str()) || money::currency(&word.to_uppercase()).is_some()
    };
    cell.chars().any(char::is_numeric) && words.all(is_currency)
}

/// What the prices of a file tell about it.
#[derive(Debug, Default)]
pub struct UndeclaredPrices {
    /// The first one, and its line.
    first: Option<(u64, Undeclared)>,
    /// The first one that has a decimal point without doubt.
    with_point: Option<(u64, Undeclared)>,
    /// The first one that has a decimal comma without doubt.
    with_comma: Option<(u64, Undeclared)>,
}

impl UndeclaredPrices {
    /// Notes the price of a line.
    pub fn note(&mut self, line: &InputLine) {
        let Some(price) = &line.undeclared else { return };
        let place = match price.sign() {
            Some('.') => &mut self.with_point,
            Some(_) => &mut self.with_comma,
            None => &mut self.first,
        };
        place.get_or_insert_with(|| (line.number, price.clone()));
        self.first.get_or_insert_with(|| (line.number, price.clone()));
    }

    /// Why the file is refused, and what to do; none for a file whose prices are minor units.
    pub fn refusal(&self) -> Option<String> {
        let (line, first) = self.first.as_ref()?;
        let cell = quoted(&first.cell);
        let advice = match (&self.with_point, &self.with_comma) {
            (Some((line, _)), None) => declared('.', *line),
            (None, Some((line, _))) => declared(',', *line),
            (Some((point, _)), Some((comma, _))) => format!(
                "line {point} has a decimal point and line {comma} a decimal comma: write all prices with the same \
                 sign, and give it with --decimal"
            ),
            (None, None) => doubtful(first),
        };
        Some(format!("column `price`, line {line}: price `{cell}`: whole minor units are allowed; {advice}"))
    }
}

fn declared(sign: char, line: u64) -> String {
    format!("give --decimal {sign} if the prices are decimal numbers, as line {line} has one")
}

/// Advice for a price that does not tell its decimal sign.
fn doubtful(price: &Undeclared) -> String {
    let Undeclared { with_point: Some(point), with_comma: Some(comma), .. } = price else {
        return "write it as a number alone, as 5 or 0.50; give --decimal . or --decimal , if the prices are decimal numbers"
            .to_owned();
    };
    if point == comma {
        return format!(
            "write {point} if it is minor units; give --decimal . or --decimal , if the prices are decimal numbers"
        );
    }
    format!(
        "it is {comma} with --decimal , and {point} with --decimal . (few currencies have three decimal digits); write \
         minor units without a sign between digits"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(cells: &[&str]) -> Option<String> {
        let mut prices = UndeclaredPrices::default();
        for (number, cell) in (2..).zip(cells) {
            let undeclared = Undeclared::of(cell);
            prices.note(&InputLine {
                number,
                product: Err(String::new()),
                odd: Vec::new(),
                raw: None,
                undeclared,
            });
        }
        prices.refusal()
    }

    #[test]
    fn amounts_of_money_are_told_from_minor_units_and_from_words() {
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
            assert!(Undeclared::of(cell).is_some(), "{cell}");
        }
        for cell in ["", "5", " 5 ", "-5", "oops", "n/a", "-", "see 5", "A5", "a.b", "99999999999999999999"] {
            assert_eq!(Undeclared::of(cell), None, "{cell}");
        }
    }

    #[test]
    fn the_advice_is_the_sign_that_the_prices_of_the_file_have() {
        for (cells, words) in [
            (&["12,50"][..], "give --decimal , if"),
            (&["1.250,00"], "give --decimal , if"),
            (&["12.50"], "give --decimal . if"),
            (&["1.250", "12,50"], "give --decimal , if"),
            (&["£5", "6", "7.50"], "give --decimal . if the prices are decimal numbers, as line 4"),
            (&["1.250"], "it is 1250 with --decimal , and 1.250 with --decimal ."),
            (&["1,250"], "it is 1.250 with --decimal , and 1250 with --decimal ."),
            (&["1 250"], "write 1250 if it is minor units"),
            (&["£5"], "write it as a number alone"),
            (&["12,50", "12.50"], "line 3 has a decimal point and line 2 a decimal comma"),
        ] {
            let refusal = refusal(cells).unwrap_or_default();
            assert!(refusal.starts_with("column `price`, line 2: price `"), "{cells:?}: {refusal}");
            assert!(refusal.contains(words), "{cells:?}: {refusal}");
        }
        assert_eq!(refusal(&["5", "oops"]), None);
    }

    #[test]
    fn the_named_readings_are_those_that_an_import_takes() {
        let price = Undeclared::of("1.250").unwrap();
        assert_eq!(decimal::plain("1.250", ',').ok(), price.with_comma);
        assert_eq!(decimal::plain("1.250", '.').ok(), price.with_point);
    }
}
