//! CSV files of products: a header row, then one row for each variant.
//!
//! If a column is missing, the field keeps its value. An empty cell clears a description, a category or an
//! attribute. An empty name, price, currency or `active` keeps the old value.

use anyhow::bail;
use serde_json::{Map, Value, json};
use souk_domain::limits::PRICE_MINOR_MAX;
use souk_domain::text::quoted;

use super::bounded::{Row, Rows, TextReader};
use super::decimal;
use super::header_row::{Column, columns, declared_separator};
use super::line::{InputLine, Lines, Product};
use super::refused::is_remark;
use super::undeclared_price::UndeclaredPrice;

/// Format of the cells of a file.
#[derive(Clone, Copy, Debug)]
pub struct Cells {
    /// Character between two cells.
    pub separator: u8,
    /// Decimal sign of prices. `None` if prices are whole minor units.
    pub decimal_sign: Option<char>,
}

/// Returns the rows of a file, and the bytes of its header for the error file. Fails if the header is wrong.
pub fn lines(reader: TextReader, cells: Cells) -> anyhow::Result<(Lines, Vec<u8>)> {
    let mut rows = Rows::new(reader, cells.separator).filter(|row| !row.as_ref().is_ok_and(is_ignored));
    let mut head = Vec::new();
    let first = loop {
        let Some(row) = rows.next().transpose()? else { return Ok((Box::new(std::iter::empty()), head)) };
        let raw = row.raw.unwrap_or_default();
        head.extend_from_slice(&raw);
        let is_declaration = std::str::from_utf8(&raw).is_ok_and(|line| declared_separator(line).is_some());
        match row.cells {
            Ok(_) if is_declaration => {}
            Ok(cells) => break cells,
            Err(why) => bail!("header row: {why}"),
        }
    };
    let columns = columns(&first).map_err(|why| anyhow::anyhow!("header row: {why}"))?;
    let lines = rows.map(move |row| {
        let row = row?;
        let mut undeclared = None;
        let product = match &row.cells {
            Ok(values) => check_count(&columns, values, &row).and_then(|()| {
                undeclared = undeclared_price(&columns, values, cells);
                product(&columns, values, cells)
            }),
            Err(why) => Err(why.clone()),
        };
        Ok(InputLine {
            number: row.number,
            product,
            warnings: Vec::new(),
            raw: row.raw,
            undeclared_price: undeclared,
        })
    });
    Ok((Box::new(lines), head))
}

/// Returns true for a row without values, which spreadsheets often write at the end of a file, and for a
/// remark of an error file.
fn is_ignored(row: &Row) -> bool {
    let text = row.raw.as_deref().and_then(|raw| std::str::from_utf8(raw).ok());
    let cells = row.cells.as_deref();
    text.is_some_and(is_remark) || cells.is_ok_and(|cells| cells.iter().all(|cell| cell.trim().is_empty()))
}

/// Refuses a row with too few cells, or with values after the last column. If the row spans several lines,
/// the message asks about a missing quote, because the row may contain other rows by mistake.
fn check_count(columns: &[Column], values: &[String], row: &Row) -> Result<(), String> {
    let surplus = values.iter().skip(columns.len()).any(|value| !value.trim().is_empty());
    if values.len() >= columns.len() && !surplus {
        return Ok(());
    }
    let why = format!("the row has {} columns, the header has {}", values.len(), columns.len());
    Err(match row.last_number {
        last if last > row.number => {
            format!("{why}; the row continues up to line {last}: is a quote missing?")
        }
        _ => why,
    })
}

/// Returns the price of a row if the file should have minor units but the price has another form, such as
/// `12.50`.
fn undeclared_price(columns: &[Column], values: &[String], cells: Cells) -> Option<UndeclaredPrice> {
    if cells.decimal_sign.is_some() {
        return None;
    }
    let mut named = columns.iter().zip(values);
    named.find(|(column, _)| **column == Column::Price).and_then(|(_, cell)| UndeclaredPrice::of(cell))
}

fn product(columns: &[Column], values: &[String], cells: Cells) -> Result<Product, String> {
    let mut product = Map::new();
    let mut attributes = Map::new();
    let mut price = Map::new();
    for (column, value) in columns.iter().zip(values) {
        let is_empty = value.trim().is_empty();
        match column {
            Column::Unnamed if is_empty => {}
            Column::Unnamed => return Err(format!("`{}` is in a column without a name", quoted(value))),
            Column::Sku => drop(product.insert("sku".to_owned(), json!(value))),
            Column::Description => drop(product.insert("description".to_owned(), json!(text(value)))),
            Column::Category => drop(product.insert("category".to_owned(), json!(text(value)))),
            Column::Attribute(name) => {
                attributes.insert(name.clone(), if is_empty { Value::Null } else { json!(value) });
            }
            _ if is_empty => {}
            Column::Name => drop(product.insert("name".to_owned(), json!(value))),
            Column::Active => drop(product.insert("active".to_owned(), json!(boolean(value)?))),
            Column::Currency => drop(price.insert("currency".to_owned(), json!(value.trim()))),
            Column::Price => {
                let (field, amount) = amount(value, cells.decimal_sign)?;
                price.insert(field.to_owned(), amount);
            }
        }
    }
    if !attributes.is_empty() {
        product.insert("attributes".to_owned(), Value::Object(attributes));
    }
    // A currency without a price has no meaning.
    if price.contains_key("amount") || price.contains_key("decimal") {
        product.insert("price".to_owned(), Value::Object(price));
    }
    Ok(Product::of_value(&Value::Object(product)))
}

/// Returns the cell, or an empty text if the cell contains only blanks.
fn text(cell: &str) -> &str {
    if cell.trim().is_empty() { "" } else { cell }
}

/// Reads a price. Returns the JSON field for it, `decimal` or `amount`, and its value.
fn amount(cell: &str, decimal_sign: Option<char>) -> Result<(&'static str, Value), String> {
    let wrong = |reason: &str| Err(format!("price `{}`: {reason}", quoted(cell)));
    if let Some(sign) = decimal_sign {
        let price = decimal::plain(cell, sign)?;
        return if price.starts_with('-') {
            wrong("a price can't be below 0")
        } else {
            Ok(("decimal", json!(price)))
        };
    }
    if !decimal::is_whole(cell) {
        return wrong("must be a whole number of minor units");
    }
    match cell.trim().parse::<i64>() {
        Ok(amount) if (0..=PRICE_MINOR_MAX).contains(&amount) => Ok(("amount", json!(amount))),
        _ => wrong(&format!("must be 0 to {PRICE_MINOR_MAX} minor units")),
    }
}

/// Reads a boolean in one of the forms that people and spreadsheets write.
fn boolean(cell: &str) -> Result<bool, String> {
    match cell.trim().to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" => Ok(true),
        "false" | "no" | "n" | "0" => Ok(false),
        _ => Err(format!("active `{}`: must be true or false, yes or no, 1 or 0", quoted(cell))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Cells = Cells { separator: b',', decimal_sign: None };

    fn read(text: &str, cells: Cells) -> Vec<InputLine> {
        let reader = Box::new(std::io::Cursor::new(text.to_owned()));
        lines(reader, cells).unwrap().0.collect::<Result<_, _>>().unwrap()
    }

    fn json_of(line: &InputLine) -> Value {
        serde_json::from_str(&line.product.as_ref().unwrap().json).unwrap()
    }

    // Proves: products.import-missing-columns
    #[test]
    fn columns_are_found_by_name_and_missing_columns_are_not_sent() {
        let lines = read("SKU,Price ,attr.colour\nA,250,red\nB,x,blue\nC\n", COMMA);
        let expected = json!({ "sku": "A", "price": { "amount": 250 }, "attributes": { "colour": "red" } });
        assert_eq!(json_of(&lines[0]), expected);
        assert!(lines[1].product.is_err() && lines[2].product.is_err());
        assert_eq!(lines[2].number, 4);
    }

    #[test]
    fn an_empty_cell_clears_optional_fields_and_keeps_required_fields() {
        let head = "sku,name,description,category,price,currency,active,attr.a";
        let line = read(&format!("{head}\nA,, , ,,GBP, ,\n"), COMMA).remove(0);
        let expected = json!({ "sku": "A", "description": "", "category": "", "attributes": { "a": null } });
        assert_eq!(json_of(&line), expected);
    }

    #[test]
    fn booleans_are_read_in_all_usual_forms() {
        for (cell, expected) in
            [("TRUE", true), ("yes", true), ("1", true), ("False", false), ("NO", false), (" 0 ", false)]
        {
            let line = read(&format!("sku,active\nA,{cell}\n"), COMMA).remove(0);
            assert_eq!(json_of(&line)["active"], expected, "{cell}");
        }
        assert!(read("sku,active\nA,maybe\n", COMMA)[0].product.is_err());
    }

    #[test]
    fn decimal_prices_are_accepted_only_with_a_declared_decimal_sign() {
        let text = "SKU;Name;Price;Active\r\nX1;Lamp;12,50;TRUE\r\nX2;Rug;1.250,00;FALSE\r\n";
        let declared = Cells { separator: b';', decimal_sign: Some(',') };
        let prices: Vec<_> = read(text, declared).iter().map(|line| json_of(line)["price"].clone()).collect();
        assert_eq!(prices, [json!({ "decimal": "12.50" }), json!({ "decimal": "1250.00" })]);
        let undeclared = read(text, Cells { separator: b';', decimal_sign: None });
        assert!(undeclared.iter().all(|line| line.product.is_err() && line.undeclared_price.is_some()));
        assert_eq!(read("sku,price\nA,oops\n", COMMA)[0].undeclared_price, None);
    }

    #[test]
    fn blank_rows_and_surplus_empty_cells_are_ignored() {
        let lines = read("sku,price\n,\nA,1,,\n  ,\nB,1,2\n,,,\n", COMMA);
        let found: Vec<_> = lines.iter().map(|line| (line.number, line.product.is_ok())).collect();
        assert_eq!(found, [(3, true), (5, false)]);
    }

    fn error_of(text: &str) -> String {
        let (mut lines, _) = lines(Box::new(std::io::Cursor::new(text.to_owned())), COMMA).unwrap();
        lines.find_map(Result::err).map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_unclosed_quote_refuses_the_whole_file() {
        for text in [
            "sku,price,name\nA,5,\"open\nB,6,fine\nC,7,fine\n",
            "sku,name,price\nA,\"b,6",
            "sku,name\nA,\"cut off he",
        ] {
            let why = error_of(text);
            assert!(why.starts_with("line 2, column ") && why.contains("has no end"), "{text}: {why}");
        }
    }

    #[test]
    fn a_row_with_a_misplaced_quote_is_refused_and_the_next_is_read() {
        let lines = read("sku,name,price\nA,\"12\" nail\",5\nB,\"a\"b,6\nC,\"1\n2\",7\nD, \"d\",8\n", COMMA);
        let found: Vec<_> = lines.iter().map(|line| (line.number, line.product.is_ok())).collect();
        assert_eq!(found, [(2, false), (3, false), (4, true), (6, false)]);
        let lines = read("sku,price,name\nA,5,\"open\nB,6,\"fine\"\nC,7,fine\n", COMMA);
        let why = lines[0].product.as_ref().unwrap_err();
        assert!(why.contains("opens on line 2 is closed on line 3"), "{why}");
        assert_eq!((lines.len(), lines[1].product.is_ok()), (2, true));
    }

    #[test]
    fn a_message_asks_about_a_missing_quote_only_if_the_column_count_is_wrong() {
        let lines = read("sku,name,price\nA,\"La\nmp\"\nB,\"Ru\ng\",oops\n", COMMA);
        let why = |line: &InputLine| line.product.as_ref().unwrap_err().clone();
        assert_eq!(
            why(&lines[0]),
            "the row has 2 columns, the header has 3; the row continues up to line 3: is a quote missing?"
        );
        assert_eq!(why(&lines[1]), "price `oops`: must be a whole number of minor units");
    }

    #[test]
    fn prices_below_zero_are_refused_and_the_message_quotes_the_cell() {
        let why = |text: &str, sign| {
            let lines = read(text, Cells { separator: b';', decimal_sign: sign });
            lines[0].product.as_ref().unwrap_err().clone()
        };
        assert_eq!(why("sku;price\nA;-3,50\n", Some(',')), "price `-3,50`: a price can't be below 0");
        for cell in ["-5", "99999999999999999999"] {
            let expected = format!("price `{cell}`: must be 0 to 1000000000000 minor units");
            assert_eq!(why(&format!("sku;price\nA;{cell}\n"), None), expected);
        }
    }

    #[test]
    fn the_form_of_a_price_is_checked_even_if_another_cell_is_refused() {
        let line = read("sku,active,price\nA,maybe,12.50\n", COMMA).remove(0);
        assert!(line.product.is_err() && line.undeclared_price.is_some());
    }

    #[test]
    fn a_declared_separator_is_part_of_the_header() {
        let text = "sep=;\r\nsku;name\r\nA;Lamp\r\n";
        let cells = Cells { separator: b';', decimal_sign: None };
        let (lines, head) = lines(Box::new(text.as_bytes()), cells).unwrap();
        assert_eq!(head, b"sep=;\r\nsku;name\r\n");
        assert_eq!(lines.count(), 1);
    }

    #[test]
    fn messages_quote_only_the_beginning_of_a_long_cell() {
        let long = "x".repeat(10_000);
        for text in
            [format!("sku,price\nA,{long}\n"), format!("sku,active\nA,{long}\n"), format!("sku,\nA,{long}\n")]
        {
            let line = read(&text, COMMA).remove(0);
            assert!(line.product.as_ref().is_err_and(|why| why.len() < 300), "{:?}", line.product);
        }
    }
}
