//! Catalogue formats, each read into the shape of `POST /api/products`.

use std::io::BufRead;

use serde_json::{Map, Value, json};
use souk_domain::Currency;
use souk_domain::text::{cut, quoted};

use super::bounded::{self, LINE_BYTES_MAX, Line, Row, Rows};
use super::{Format, InputLine};

/// Characters of a line that is too long to be kept whole.
const BEGINNING_CHARS_MAX: usize = 1_000;

/// Lines as they are read.
pub type Lines = Box<dyn Iterator<Item = anyhow::Result<InputLine>>>;

/// The lines of a file.
pub fn lines(format: Format, reader: Box<dyn BufRead>, currency: Currency) -> Lines {
    match format {
        Format::Csv => Box::new(csv_lines(reader, currency)),
        Format::Jsonl | Format::Icecat => Box::new(json_lines(format, reader, currency)),
    }
}

fn json_lines(
    format: Format,
    mut reader: Box<dyn BufRead>,
    currency: Currency,
) -> impl Iterator<Item = anyhow::Result<InputLine>> {
    let lines = std::iter::from_fn(move || bounded::line(&mut *reader).transpose());
    (1_u64..).zip(lines).filter_map(move |(number, line)| {
        let Line { bytes, is_too_long } = match line {
            Ok(line) => line,
            Err(error) => return Some(Err(error.into())),
        };
        let raw = String::from_utf8_lossy(&bytes).trim().to_owned();
        if is_too_long {
            let product = Err(format!("a line has at most {LINE_BYTES_MAX} bytes; here is how it begins"));
            let raw = cut(raw, BEGINNING_CHARS_MAX);
            return Some(Ok(InputLine { number, product, odd: Vec::new(), raw }));
        }
        if raw.is_empty() {
            return None;
        }
        let mut odd = Vec::new();
        let product = match serde_json::from_str::<Value>(&raw) {
            Err(error) => Err(error.to_string()),
            Ok(value) if format == Format::Icecat => icecat(&value, currency, &mut odd),
            Ok(value) => Ok(value),
        };
        Some(Ok(InputLine { number, product, odd, raw }))
    })
}

/// Icecat: the SKU is its id, the name its title, the price minor units of the shop's currency.
fn icecat(value: &Value, currency: Currency, odd: &mut Vec<String>) -> Result<Value, String> {
    let object = value.as_object().ok_or("a JSON object is wanted")?;
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or("").trim();
    let sku = text("id");
    let name = if text("title").is_empty() { text("name") } else { text("title") };
    let price = match object.get("price").map(|price| (price.as_i64(), price.as_f64())) {
        Some((Some(price), _)) => price,
        #[expect(clippy::cast_possible_truncation, reason = "rounded; the API checks the range")]
        Some((None, Some(price))) => {
            odd.push(format!("the price {price} is no whole number of minor units; it was rounded"));
            price.round_ties_even() as i64
        }
        _ => return Err("it has no price".to_owned()),
    };
    if price == 0 {
        odd.push("it costs nothing".to_owned());
    }
    let mut attributes = Map::new();
    for (key, value) in object {
        if let Some((kind, name)) = key.strip_prefix("attr_").and_then(|rest| rest.split_once('_')) {
            let known = matches!(
                (kind, value),
                ("t", Value::String(_)) | ("n", Value::Number(_)) | ("b", Value::Bool(_))
            );
            if !known {
                odd.push(format!("attribute `{}` does not have the type its name says", quoted(key)));
            }
            let kept = if attributes.contains_key(name) { format!("{name}_{kind}") } else { name.to_owned() };
            if kept != name {
                odd.push(format!(
                    "attribute `{}` stands there with two types; the second is kept as `{}`",
                    quoted(name),
                    quoted(&kept)
                ));
            }
            attributes.insert(kept, value.clone());
        }
    }
    for key in ["supplier", "date_released"] {
        if let Some(value @ Value::String(_)) = object.get(key) {
            attributes.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(Value::Array(numbers)) = object.get("ean") {
        let numbers: Vec<&str> = numbers.iter().filter_map(Value::as_str).collect();
        attributes.insert("ean".to_owned(), Value::String(numbers.join(" ")));
    }
    let images = ["img_high", "img_500x500", "img_low", "img_thumb"];
    let images: Vec<&str> = images.iter().map(|name| text(name)).filter(|url| !url.is_empty()).collect();
    let variant = json!({
        "sku": sku, "price": { "amount": price, "currency": currency.code() }, "images": images,
    });
    Ok(json!({
        "name": name, "description": text("short_description"), "attributes": attributes, "variants": [variant],
    }))
}

fn csv_lines(
    reader: Box<dyn BufRead>,
    currency: Currency,
) -> impl Iterator<Item = anyhow::Result<InputLine>> {
    let mut rows = Rows::new(reader);
    let headers = rows.next();
    let (headers, failed) = match headers {
        Some(Ok(Row { cells: Ok(headers), .. })) => (headers, None),
        Some(Ok(Row { cells: Err(why), .. })) => (Vec::new(), Some(anyhow::anyhow!("the head: {why}"))),
        Some(Err(error)) => (Vec::new(), Some(error.into())),
        None => (Vec::new(), None),
    };
    let rows = rows.map(move |row| {
        let Row { number, cells } = row?;
        let (product, raw) = match cells {
            Ok(cells) => (csv_product(&headers, &cells, currency), cells.join(",")),
            Err(why) => (Err(why), String::new()),
        };
        Ok(InputLine { number, product, odd: Vec::new(), raw })
    });
    failed.map(Err).into_iter().chain(rows)
}

fn csv_product(headers: &[String], record: &[String], currency: Currency) -> Result<Value, String> {
    if record.len() != headers.len() {
        return Err(format!("it has {} columns, the head has {}", record.len(), headers.len()));
    }
    let mut attributes = Map::new();
    let mut product = json!({ "description": "", "category": "", "active": true });
    let mut code = currency.code().to_owned();
    for (name, value) in headers.iter().zip(record) {
        match name.as_str() {
            "sku" | "name" | "description" | "category" | "price" | "currency" | "active"
                if value.is_empty() => {}
            _ if value.is_empty() && name.starts_with("attr.") => {}
            "sku" | "name" | "description" | "category" => product[name.as_str()] = json!(value),
            "price" => {
                let amount: i64 = value
                    .trim()
                    .parse()
                    .map_err(|_| format!("price `{}`: whole minor units are allowed", quoted(value)))?;
                product["price"] = json!({ "amount": amount });
            }
            "currency" => value.trim().clone_into(&mut code),
            "active" => {
                let active: bool = value
                    .trim()
                    .parse()
                    .map_err(|_| format!("active `{}`: true or false is allowed", quoted(value)))?;
                product["active"] = json!(active);
            }
            _ => match name.strip_prefix("attr.") {
                Some(attribute) => drop(attributes.insert(attribute.to_owned(), json!(value))),
                None => return Err(format!("column `{}` is not known", quoted(name))),
            },
        }
    }
    product["attributes"] = Value::Object(attributes);
    for needed in ["sku", "name", "price"] {
        if product[needed].is_null() {
            return Err(format!("it has no {needed}"));
        }
    }
    product["price"]["currency"] = json!(code);
    Ok(product)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read as _};

    use super::*;

    fn read(format: Format, text: &'static str) -> Vec<InputLine> {
        lines(format, Box::new(text.as_bytes()), Currency::GBP).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn icecat_keeps_every_attribute_with_its_type() {
        let text = r#"{"id":"7","title":"Toner","price":4995,"supplier":"X","ean":["1","2"],"attr_t_colour":"Black","attr_n_pages":2.5,"attr_b_new":true}"#;
        let line = read(Format::Icecat, text).remove(0);
        let product = line.product.unwrap();
        assert_eq!(product["variants"][0]["sku"], "7");
        assert_eq!(product["variants"][0]["price"]["amount"], 4995);
        let expected = json!({ "colour": "Black", "pages": 2.5, "new": true, "supplier": "X", "ean": "1 2" });
        assert_eq!(product["attributes"], expected);
        assert!(line.odd.is_empty());
    }

    #[test]
    fn an_attribute_with_two_types_is_kept_twice() {
        let text = r#"{"id":"7","title":"Desk","price":1,"attr_t_height":"yes","attr_n_height":2}"#;
        let line = read(Format::Icecat, text).remove(0);
        let product = line.product.unwrap();
        let attributes = product["attributes"].as_object().unwrap();
        assert_eq!(attributes.len(), 2, "{attributes:?}");
        assert!(
            attributes.values().any(|value| value == "yes") && attributes.values().any(|value| value == 2)
        );
        assert_eq!(line.odd.len(), 1);
    }

    #[test]
    fn lines_that_cannot_be_read_keep_their_number_and_text() {
        let lines = read(Format::Jsonl, "{\"name\":1}\n\n{oops\n");
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[1].number, lines[1].raw.as_str()), (3, "{oops"));
        assert!(lines[1].product.is_err());
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_and_the_next_is_read() {
        let long = std::io::repeat(b'x').take(5 * LINE_BYTES_MAX as u64).chain("\n{}\n".as_bytes());
        let lines = lines(Format::Jsonl, Box::new(BufReader::new(long)), Currency::GBP);
        let lines: Vec<InputLine> = lines.collect::<Result<_, _>>().unwrap();
        assert!(lines[0].product.as_ref().is_err_and(|why| why.contains("1048576 bytes")));
        assert_eq!(lines[0].raw.chars().count(), BEGINNING_CHARS_MAX);
        assert_eq!((lines[1].number, lines[1].product.is_ok()), (2, true));
    }

    #[test]
    fn messages_about_a_line_quote_little_of_it() {
        let long = "x".repeat(10_000);
        for text in [
            format!("sku,name,price\nA,Lamp,{long}\n"),
            format!("sku,name,price,active\nA,Lamp,1,{long}\n"),
            format!("sku,name,price,{long}\nA,Lamp,1,2\n"),
        ] {
            let lines: Vec<InputLine> =
                lines(Format::Csv, Box::new(std::io::Cursor::new(text)), Currency::GBP)
                    .map(Result::unwrap)
                    .collect();
            assert!(lines[0].product.as_ref().is_err_and(|why| why.len() < 300), "{:?}", lines[0].product);
        }
    }

    #[test]
    fn csv_columns_are_read_by_name() {
        let text = "sku,name,price,attr.colour\nA,Lamp,250,red\nB,Rug,x,blue\nC,Cup\n";
        let lines = read(Format::Csv, text);
        let product = lines[0].product.as_ref().unwrap();
        assert_eq!(product["price"], json!({ "amount": 250, "currency": "GBP" }));
        assert_eq!(product["attributes"]["colour"], "red");
        assert!(lines[1].product.is_err() && lines[2].product.is_err());
        assert_eq!(lines[2].number, 4);
    }
}
