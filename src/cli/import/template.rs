//! Example file for imports, with every column and one product that is not on sale.

use souk_domain::Currency;

use super::Format;
use super::source::Kind;

/// Returns the example file in a format.
pub fn text(format: Option<Format>, currency: Currency) -> String {
    let currency = currency.code();
    match format.map_or(Kind::Csv, Format::kind) {
        Kind::Csv => rows(',', currency),
        Kind::Tsv => rows('\t', currency),
        Kind::Json | Kind::Icecat => {
            format!(
                r#"{{"sku":"EXAMPLE-1","name":"Example product","description":"What it is.","category":"home/lighting","price":{{"amount":255,"currency":"{currency}"}},"active":false,"attributes":{{"colour":"white"}}}}"#
            ) + "\n"
        }
    }
}

fn rows(separator: char, currency: &str) -> String {
    let head = "sku,name,description,category,price,currency,active,attr.colour";
    let row = format!("EXAMPLE-1,Example product,What it is.,home/lighting,255,{currency},false,white");
    format!("{head}\n{row}\n").replace(',', &separator.to_string())
}
