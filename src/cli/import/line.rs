//! A line of a file, on its way to the shop or to the error file.

use serde_json::Value;

use super::undeclared::Undeclared;

/// Lines as they are read.
pub type Lines = Box<dyn Iterator<Item = anyhow::Result<InputLine>>>;

/// A line that was read.
pub struct InputLine {
    /// The line of the file that it begins on.
    pub number: u64,
    /// The product, or why it can't be read.
    pub product: Result<Product, String>,
    /// Oddities of a product that can be used.
    pub odd: Vec<String>,
    /// Its bytes, read as UTF-8; none of a line that is too long to be kept.
    pub raw: Option<Vec<u8>>,
    /// A price that is written as no minor units, where prices are: then the whole file is refused.
    pub undeclared: Option<Undeclared>,
}

/// A product in the shape of a line of `POST /api/admin/import/products`.
#[derive(Debug)]
pub struct Product {
    /// The line.
    pub json: String,
    /// The SKUs in it.
    pub skus: Vec<String>,
}

impl Product {
    /// A product as JSON.
    pub fn of_value(value: &Value) -> Self {
        let variants = value["variants"].as_array().map(Vec::as_slice).unwrap_or_default();
        let skus = variants.iter().map(|variant| &variant["sku"]).chain([&value["sku"]]);
        let skus = skus.filter_map(Value::as_str).map(|sku| sku.trim().to_owned()).collect();
        Self { json: value.to_string(), skus }
    }
}
