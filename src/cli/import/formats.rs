//! Catalogue formats, each read into the shape of `POST /api/products`.

use std::io::BufRead;

use serde_json::{Map, Value, json};
use souk_domain::Currency;

use super::{Format, InputLine};

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
    reader: Box<dyn BufRead>,
    currency: Currency,
) -> impl Iterator<Item = anyhow::Result<InputLine>> {
    (1_u64..).zip(reader.split(b'\n')).filter_map(move |(number, bytes)| {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(error.into())),
        };
        let raw = String::from_utf8_lossy(&bytes).trim().to_owned();
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
                odd.push(format!("attribute `{key}` does not have the type its name says"));
            }
            let kept = if attributes.contains_key(name) { format!("{name}_{kind}") } else { name.to_owned() };
            if kept != name {
                odd.push(format!(
                    "attribute `{name}` stands there with two types; the second is kept as `{kept}`"
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
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let headers = reader.headers().cloned().unwrap_or_default();
    reader.into_records().map(move |record| {
        let record = match record {
            Ok(record) => record,
            Err(error) if error.is_io_error() => return Err(error.into()),
            Err(error) => {
                let number = error.position().map_or(0, csv::Position::line);
                let (product, raw) = (Err(error.to_string()), String::new());
                return Ok(InputLine { number, product, odd: Vec::new(), raw });
            }
        };
        let number = record.position().map_or(0, csv::Position::line);
        let raw = record.iter().collect::<Vec<_>>().join(",");
        Ok(InputLine { number, product: csv_product(&headers, &record, currency), odd: Vec::new(), raw })
    })
}

fn csv_product(
    headers: &csv::StringRecord,
    record: &csv::StringRecord,
    currency: Currency,
) -> Result<Value, String> {
    if record.len() != headers.len() {
        return Err(format!("it has {} columns, the head has {}", record.len(), headers.len()));
    }
    let mut attributes = Map::new();
    let mut product = json!({ "description": "", "category": "", "active": true });
    let mut code = currency.code().to_owned();
    for (name, value) in headers.iter().zip(record) {
        match name {
            "sku" | "name" | "description" | "category" | "price" | "currency" | "active"
                if value.is_empty() => {}
            _ if value.is_empty() && name.starts_with("attr.") => {}
            "sku" | "name" | "description" | "category" => product[name] = json!(value),
            "price" => {
                let amount: i64 = value
                    .trim()
                    .parse()
                    .map_err(|_| format!("price `{value}`: whole minor units are allowed"))?;
                product["price"] = json!({ "amount": amount });
            }
            "currency" => value.trim().clone_into(&mut code),
            "active" => {
                let active: bool = value
                    .trim()
                    .parse()
                    .map_err(|_| format!("active `{value}`: true or false is allowed"))?;
                product["active"] = json!(active);
            }
            _ => match name.strip_prefix("attr.") {
                Some(attribute) => drop(attributes.insert(attribute.to_owned(), json!(value))),
                None => return Err(format!("column `{name}` is not known")),
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
