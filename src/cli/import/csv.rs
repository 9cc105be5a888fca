//! CSV products: a head, then one row a variant.
//!
//! A column that is missing leaves its field alone. An empty cell clears a description, a category or an attribute; a
//! name, a price, a currency or `active` is left alone by it.

use std::io::BufRead;

use anyhow::bail;
use serde_json::{Map, Value, json};
use souk_domain::limits::PRICE_MINOR_MAX;
use souk_domain::text::quoted;

use super::bounded::{Row, Rows};
use super::decimal;
use super::head::{Column, columns, declared_separator};
use super::line::{InputLine, Lines, Product};
use super::refused::is_remark;
use super::undeclared::Undeclared;

/// The rules by which the cells of a file are read.
#[derive(Clone, Copy, Debug)]
pub struct Cells {
    /// The sign between cells.
    pub separator: u8,
    /// The sign before the decimal digits of prices; none when prices are minor units.
    pub decimal_sign: Option<char>,
}

/// The rows of a file, and its head as it was, for the error file. A head that is wrong is an error of the file.
pub fn lines(reader: Box<dyn BufRead>, cells: Cells) -> anyhow::Result<(Lines, Vec<u8>)> {
    let mut rows = Rows::new(reader, cells.separator).filter(|row| !row.as_ref().is_ok_and(is_blank));
    let mut head = Vec::new();
    let first = loop {
        let Some(row) = rows.next().transpose()? else { return Ok((Box::new(std::iter::empty()), head)) };
        let raw = row.raw.unwrap_or_default();
        head.extend_from_slice(&raw);
        let is_declaration = std::str::from_utf8(&raw).is_ok_and(|line| declared_separator(line).is_some());
        match row.cells {
            Ok(_) if is_declaration => {}
            Ok(cells) => break cells,
            Err(why) => bail!("the head: {why}"),
        }
    };
    let columns = columns(&first).map_err(|why| anyhow::anyhow!("the head: {why}"))?;
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
        Ok(InputLine { number: row.number, product, odd: Vec::new(), raw: row.raw, undeclared })
    });
    Ok((Box::new(lines), head))
}

/// True for a row without a value, as spreadsheets leave them at the end, and for a remark of an error file.
fn is_blank(row: &Row) -> bool {
    let text = row.raw.as_deref().and_then(|raw| std::str::from_utf8(raw).ok());
    let cells = row.cells.as_deref();
    text.is_some_and(is_remark) || cells.is_ok_and(|cells| cells.iter().all(|cell| cell.trim().is_empty()))
}

/// Refuses a row with too few cells, or with values behind the last column. A row on several lines may have taken in
/// others by a missing quote.
fn check_count(columns: &[Column], values: &[String], row: &Row) -> Result<(), String> {
    let surplus = values.iter().skip(columns.len()).any(|value| !value.trim().is_empty());
    if values.len() >= columns.len() && !surplus {
        return Ok(());
    }
    let why = format!("it has {} columns, the head has {}", values.len(), columns.len());
    Err(match row.last_number {
        last if last > row.number => format!("{why}; the row goes on to line {last}: is a quote missing?"),
        _ => why,
    })
}

/// The price of a row, where prices are minor units and it is written as another amount of money.
fn undeclared_price(columns: &[Column], values: &[String], cells: Cells) -> Option<Undeclared> {
    if cells.decimal_sign.is_some() {
        return None;
    }
    let mut named = columns.iter().zip(values);
    named.find(|(column, _)| **column == Column::Price).and_then(|(_, cell)| Undeclared::of(cell))
}

fn product(columns: &[Column], values: &[String], cells: Cells) -> Result<Product, String> {
    let mut product = Map::new();
    let mut attributes = Map::new();
    let mut price = Map::new();
    for (column, value) in columns.iter().zip(values) {
        let is_empty = value.trim().is_empty();
        match column {
            Column::Unnamed if is_empty => {}
            Column::Unnamed => return Err(format!("`{}` stands in a column without a name", quoted(value))),
            Column::Sku => drop(product.insert("sku".to_owned(), json!(value))),
            Column::Description => drop(product.insert("description".to_owned(), json!(text(value)))),
            Column::Category => drop(product.insert("category".to_owned(), json!(text(value)))),
            Column::Attribute(name) => {
                attributes.insert(name.clone(), if is_empty { Value::Null } else { json!(value) });
            }
            _ if is_empty => {}
            Column::Name => drop(product.insert("name".to_owned(), json!(value))),
            Column::Active => drop(product.insert("active".to_owned(), json!(truth(value)?))),
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
    // A currency without a price says nothing.
    if price.contains_key("amount") || price.contains_key("decimal") {
        product.insert("price".to_owned(), Value::Object(price));
    }
    Ok(Product::of_value(&Value::Object(product)))
}

/// A text, empty when it has blanks alone.
fn text(cell: &str) -> &str {
    if cell.trim().is_empty() { "" } else { cell }
}

/// The field of a price and its value.
fn amount(cell: &str, decimal_sign: Option<char>) -> Result<(&'static str, Value), String> {
    let wrong = |words: &str| Err(format!("price `{}`: {words}", quoted(cell)));
    if let Some(sign) = decimal_sign {
        let price = decimal::plain(cell, sign)?;
        return if price.starts_with('-') {
            wrong("a price is not below 0")
        } else {
            Ok(("decimal", json!(price)))
        };
    }
    if !decimal::is_whole(cell) {
        return wrong("whole minor units are allowed");
    }
    match cell.trim().parse::<i64>() {
        Ok(amount) if (0..=PRICE_MINOR_MAX).contains(&amount) => Ok(("amount", json!(amount))),
        _ => wrong(&format!("0 to {PRICE_MINOR_MAX} minor units are allowed")),
    }
}

/// A truth as people and spreadsheets write it.
fn truth(cell: &str) -> Result<bool, String> {
    match cell.trim().to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" => Ok(true),
        "false" | "no" | "n" | "0" => Ok(false),
        _ => Err(format!("active `{}`: true or false, yes or no, 1 or 0 is allowed", quoted(cell))),
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

    #[test]
    fn columns_are_read_by_name_and_what_is_missing_is_not_sent() {
        let lines = read("SKU,Price ,attr.colour\nA,250,red\nB,x,blue\nC\n", COMMA);
        let expected = json!({ "sku": "A", "price": { "amount": 250 }, "attributes": { "colour": "red" } });
        assert_eq!(json_of(&lines[0]), expected);
        assert!(lines[1].product.is_err() && lines[2].product.is_err());
        assert_eq!(lines[2].number, 4);
    }

    #[test]
    fn an_empty_cell_clears_what_may_be_empty_and_leaves_the_rest_alone() {
        let head = "sku,name,description,category,price,currency,active,attr.a";
        let line = read(&format!("{head}\nA,, , ,,GBP, ,\n"), COMMA).remove(0);
        let expected = json!({ "sku": "A", "description": "", "category": "", "attributes": { "a": null } });
        assert_eq!(json_of(&line), expected);
    }

    #[test]
    fn truths_are_read_as_people_write_them() {
        for (cell, expected) in
            [("TRUE", true), ("yes", true), ("1", true), ("False", false), ("NO", false), (" 0 ", false)]
        {
            let line = read(&format!("sku,active\nA,{cell}\n"), COMMA).remove(0);
            assert_eq!(json_of(&line)["active"], expected, "{cell}");
        }
        assert!(read("sku,active\nA,maybe\n", COMMA)[0].product.is_err());
    }

    #[test]
    fn decimal_prices_are_read_when_they_are_declared() {
        let text = "SKU;Name;Price;Active\r\nX1;Lamp;12,50;TRUE\r\nX2;Rug;1.250,00;FALSE\r\n";
        let declared = Cells { separator: b';', decimal_sign: Some(',') };
        let prices: Vec<_> = read(text, declared).iter().map(|line| json_of(line)["price"].clone()).collect();
        assert_eq!(prices, [json!({ "decimal": "12.50" }), json!({ "decimal": "1250.00" })]);
        let undeclared = read(text, Cells { separator: b';', decimal_sign: None });
        assert!(undeclared.iter().all(|line| line.product.is_err() && line.undeclared.is_some()));
        assert_eq!(read("sku,price\nA,oops\n", COMMA)[0].undeclared, None);
    }

    #[test]
    fn blank_rows_and_surplus_empty_cells_are_none() {
        let lines = read("sku,price\n,\nA,1,,\n  ,\nB,1,2\n,,,\n", COMMA);
        let found: Vec<_> = lines.iter().map(|line| (line.number, line.product.is_ok())).collect();
        assert_eq!(found, [(3, true), (5, false)]);
    }

    fn error_of(text: &str) -> String {
        let (mut lines, _) = lines(Box::new(std::io::Cursor::new(text.to_owned())), COMMA).unwrap();
        lines.find_map(Result::err).map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_quote_without_an_end_refuses_the_file() {
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
        assert!(why.contains("begins on line 2 is closed on line 3"), "{why}");
        assert_eq!((lines.len(), lines[1].product.is_ok()), (2, true));
    }

    #[test]
    fn a_row_that_takes_in_others_says_so_only_when_its_columns_do_not_fit() {
        let lines = read("sku,name,price\nA,\"La\nmp\"\nB,\"Ru\ng\",oops\n", COMMA);
        let why = |line: &InputLine| line.product.as_ref().unwrap_err().clone();
        assert_eq!(
            why(&lines[0]),
            "it has 2 columns, the head has 3; the row goes on to line 3: is a quote missing?"
        );
        assert_eq!(why(&lines[1]), "price `oops`: whole minor units are allowed");
    }

    #[test]
    fn prices_are_not_below_nothing_and_say_so_with_their_cell() {
        let why = |text: &str, sign| {
            let lines = read(text, Cells { separator: b';', decimal_sign: sign });
            lines[0].product.as_ref().unwrap_err().clone()
        };
        assert_eq!(why("sku;price\nA;-3,50\n", Some(',')), "price `-3,50`: a price is not below 0");
        for cell in ["-5", "99999999999999999999"] {
            let expected = format!("price `{cell}`: 0 to 1000000000000 minor units are allowed");
            assert_eq!(why(&format!("sku;price\nA;{cell}\n"), None), expected);
        }
    }

    #[test]
    fn a_row_that_is_refused_for_another_cell_still_tells_the_form_of_its_price() {
        let line = read("sku,active,price\nA,maybe,12.50\n", COMMA).remove(0);
        assert!(line.product.is_err() && line.undeclared.is_some());
    }

    #[test]
    fn a_declared_separator_is_part_of_the_head() {
        let text = "sep=;\r\nsku;name\r\nA;Lamp\r\n";
        let cells = Cells { separator: b';', decimal_sign: None };
        let (lines, head) = lines(Box::new(text.as_bytes()), cells).unwrap();
        assert_eq!(head, b"sep=;\r\nsku;name\r\n");
        assert_eq!(lines.count(), 1);
    }

    #[test]
    fn messages_about_a_row_quote_little_of_it() {
        let long = "x".repeat(10_000);
        for text in
            [format!("sku,price\nA,{long}\n"), format!("sku,active\nA,{long}\n"), format!("sku,\nA,{long}\n")]
        {
            let line = read(&text, COMMA).remove(0);
            assert!(line.product.as_ref().is_err_and(|why| why.len() < 300), "{:?}", line.product);
        }
    }
}
