//! Line of an imported file, before it goes to the shop or to the error file.

use serde_json::Value;

use super::undeclared_price::UndeclaredPrice;

/// Iterator over the lines of a file. If it returns an error, the whole file is refused.
pub type Lines = Box<dyn Iterator<Item = anyhow::Result<InputLine>>>;

/// One line, row or JSON element of a file.
pub struct InputLine {
    /// Number of the line of the file at which this line, row or element begins.
    pub number: u64,
    /// Product of the line, or the reason why it can't be read.
    pub product: Result<Product, String>,
    /// Warnings about unusual content of a product that can still be imported.
    pub warnings: Vec<String>,
    /// Bytes of the line, decoded to UTF-8. `None` if the line is too long to keep.
    pub raw: Option<Vec<u8>>,
    /// Price that is not written in minor units, although the file should have minor units. Because of it the
    /// whole file is refused.
    pub undeclared_price: Option<UndeclaredPrice>,
}

/// Product in the shape of a line of `POST /api/admin/import/products`.
#[derive(Debug)]
pub struct Product {
    /// JSON text without line breaks.
    pub json: String,
    /// SKUs in the JSON.
    pub skus: Vec<String>,
}

impl Product {
    /// Creates a product from a JSON value.
    pub fn of_value(value: &Value) -> Self {
        let variants = value["variants"].as_array().map(Vec::as_slice).unwrap_or_default();
        let skus = variants.iter().map(|variant| &variant["sku"]).chain([&value["sku"]]);
        let skus = skus.filter_map(Value::as_str).map(|sku| sku.trim().to_owned()).collect();
        Self { json: value.to_string(), skus }
    }
}
