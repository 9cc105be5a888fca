//! Products of Icecat's open catalogue.

use serde_json::{Map, Value, json};
use souk_domain::text::quoted;

/// Converts a product of Icecat to a product of the shop. `id` is the SKU, `title` is the name, and `price`
/// is in minor units. If the product is already in the shop, absent fields keep their values there.
/// `warnings` receives a message for each doubtful value.
pub fn icecat(value: &Value, warnings: &mut Vec<String>) -> Result<Value, String> {
    let object = value.as_object().ok_or("must be a JSON object")?;
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or("").trim();
    let sku = text("id");
    let name = if text("title").is_empty() { text("name") } else { text("title") };
    let price = match object.get("price").map(|price| (price.as_i64(), price.as_f64())) {
        Some((Some(price), _)) => price,
        #[expect(clippy::cast_possible_truncation, reason = "rounded; the API checks the range")]
        Some((None, Some(price))) => {
            warnings.push(format!("the price {price} is not a whole number of minor units; it was rounded"));
            price.round_ties_even() as i64
        }
        _ => return Err("the product has no price".to_owned()),
    };
    if price == 0 {
        warnings.push("the price is 0".to_owned());
    }
    let mut attributes = Map::new();
    for (key, value) in object {
        if let Some((kind, name)) = key.strip_prefix("attr_").and_then(|rest| rest.split_once('_')) {
            let is_expected_type = matches!(
                (kind, value),
                ("t", Value::String(_)) | ("n", Value::Number(_)) | ("b", Value::Bool(_))
            );
            if !is_expected_type {
                warnings.push(format!(
                    "attribute `{}` does not have the type that its name promises",
                    quoted(key)
                ));
            }
            let kept = if attributes.contains_key(name) { format!("{name}_{kind}") } else { name.to_owned() };
            if kept != name {
                warnings.push(format!(
                    "attribute `{}` occurs with two types; the second is kept as `{}`",
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
    let mut variant = json!({ "sku": sku, "price": { "amount": price } });
    if !images.is_empty() {
        variant["images"] = json!(images);
    }
    let mut product = json!({ "name": name, "attributes": attributes, "variants": [variant] });
    if object.contains_key("short_description") {
        product["description"] = json!(text("short_description"));
    }
    Ok(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Value, Vec<String>) {
        let mut warnings = Vec::new();
        (icecat(&serde_json::from_str(text).unwrap(), &mut warnings).unwrap(), warnings)
    }

    // Proves: products.import-formats
    #[test]
    fn icecat_keeps_every_attribute_with_its_type() {
        let text = r#"{"id":"7","title":"Toner","price":4995,"supplier":"X","ean":["1","2"],"attr_t_colour":"Black","attr_n_pages":2.5,"attr_b_new":true}"#;
        let (product, warnings) = read(text);
        assert_eq!(product["variants"], json!([{ "sku": "7", "price": { "amount": 4995 } }]));
        let expected = json!({ "colour": "Black", "pages": 2.5, "new": true, "supplier": "X", "ean": "1 2" });
        assert_eq!(product["attributes"], expected);
        assert!(product.get("description").is_none() && warnings.is_empty());
    }

    #[test]
    fn an_attribute_with_two_types_is_kept_twice() {
        let text = r#"{"id":"7","title":"Desk","price":1,"attr_t_height":"yes","attr_n_height":2}"#;
        let (product, warnings) = read(text);
        let attributes = product["attributes"].as_object().unwrap();
        assert_eq!(attributes.len(), 2, "{attributes:?}");
        assert!(
            attributes.values().any(|value| value == "yes") && attributes.values().any(|value| value == 2)
        );
        assert_eq!(warnings.len(), 1);
    }
}
