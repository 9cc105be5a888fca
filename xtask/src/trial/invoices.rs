//! Reader of the invoices in a file. The rules come from the description of the data (`PROVENANCE.md`).
//!
//! A line is a sale if its invoice number has only digits, its quantity is above 0, and its rounded price is
//! at least one minor unit. A line is a return if its invoice number starts with `C` and its quantity is
//! negative. All other lines are skipped and counted. A line that can't be parsed is an error with its line
//! number.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::minor::ExactPrice;

/// Line of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SaleLine {
    pub(crate) sku: String,
    pub(crate) units: i64,
    /// Price of one unit, rounded to the minor unit.
    pub(crate) price_minor: i64,
}

/// Sale invoice, which the trial sends as an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sale {
    pub(crate) invoice: String,
    /// Customer number; none for a guest.
    pub(crate) customer: Option<String>,
    pub(crate) lines: Vec<SaleLine>,
}

/// Returned units of one SKU in one cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Return {
    pub(crate) invoice: String,
    pub(crate) sku: String,
    pub(crate) units: i64,
}

/// Product data of a SKU, from the first lines that contain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) sku: String,
    /// First description that is not empty, otherwise the SKU.
    pub(crate) name: String,
    /// First price of at least one minor unit, otherwise 1.
    pub(crate) price_minor: i64,
}

/// Content of one file, in the order of its lines.
#[derive(Debug, Default)]
pub(crate) struct Invoices {
    pub(crate) lines: u64,
    pub(crate) skipped_lines: u64,
    /// Number of lines whose price is changed by rounding, including lines that are not sales because their
    /// price rounds to zero.
    pub(crate) rounded_lines: u64,
    pub(crate) sales: Vec<Sale>,
    pub(crate) returns: Vec<Return>,
    pub(crate) products: Vec<Product>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    invoice_no: String,
    stock_code: String,
    description: String,
    quantity: i64,
    unit_price: String,
    #[serde(rename = "CustomerID")]
    customer_id: String,
}

/// Reads the invoices of `FILE.csv.gz` or `FILE.csv`.
pub(crate) fn read(file: &Path) -> Result<Invoices> {
    let describe = || format!("{} can't be read", file.display());
    let opened = File::open(file).with_context(describe)?;
    if file.extension().is_some_and(|extension| extension == "gz") {
        parse(MultiGzDecoder::new(opened)).with_context(describe)
    } else {
        parse(opened).with_context(describe)
    }
}

fn parse(text: impl std::io::Read) -> Result<Invoices> {
    let mut reading = Reading::default();
    for (index, row) in csv::Reader::from_reader(text).deserialize().enumerate() {
        let line = index + 2;
        let row = row.with_context(|| format!("line {line}"))?;
        reading.take(&row).with_context(|| format!("line {line}"))?;
    }
    ensure!(reading.invoices.lines > 0, "the file has no lines");
    Ok(reading.invoices)
}

#[derive(Default)]
struct Reading {
    invoices: Invoices,
    sale_at: HashMap<String, usize>,
    return_at: HashMap<(String, String), usize>,
    product_at: HashMap<String, usize>,
}

impl Reading {
    fn take(&mut self, row: &Row) -> Result<()> {
        self.invoices.lines += 1;
        let price = ExactPrice::parse(row.unit_price.trim())?;
        let invoice = row.invoice_no.trim();
        let is_sale_invoice = !invoice.is_empty() && invoice.bytes().all(|byte| byte.is_ascii_digit());
        let may_be_sale = is_sale_invoice && row.quantity > 0;
        self.invoices.rounded_lines += u64::from(may_be_sale && !price.is_whole());
        if may_be_sale && price.rounded() >= 1 {
            self.take_sale(invoice, row, price);
        } else if invoice.starts_with('C') && row.quantity < 0 {
            self.take_return(invoice, row, price);
        } else {
            self.invoices.skipped_lines += 1;
        }
        Ok(())
    }

    fn take_sale(&mut self, invoice: &str, row: &Row, price: ExactPrice) {
        self.note_product(row, price);
        let sales = &mut self.invoices.sales;
        let at = *self.sale_at.entry(invoice.to_owned()).or_insert_with(|| {
            let customer = row.customer_id.trim().trim_end_matches(".0");
            let customer = (!customer.is_empty()).then(|| customer.to_owned());
            sales.push(Sale { invoice: invoice.to_owned(), customer, lines: Vec::new() });
            sales.len() - 1
        });
        sales[at].lines.push(SaleLine {
            sku: row.stock_code.trim().to_owned(),
            units: row.quantity,
            price_minor: price.rounded(),
        });
    }

    fn take_return(&mut self, invoice: &str, row: &Row, price: ExactPrice) {
        self.note_product(row, price);
        let sku = row.stock_code.trim().to_owned();
        let returns = &mut self.invoices.returns;
        let at = *self.return_at.entry((invoice.to_owned(), sku.clone())).or_insert_with(|| {
            returns.push(Return { invoice: invoice.to_owned(), sku, units: 0 });
            returns.len() - 1
        });
        returns[at].units -= row.quantity;
    }

    fn note_product(&mut self, row: &Row, price: ExactPrice) {
        let sku = row.stock_code.trim();
        let products = &mut self.invoices.products;
        let at = *self.product_at.entry(sku.to_owned()).or_insert_with(|| {
            products.push(Product { sku: sku.to_owned(), name: String::new(), price_minor: 0 });
            products.len() - 1
        });
        let product = &mut products[at];
        if product.name.is_empty() {
            row.description.trim().clone_into(&mut product.name);
        }
        if product.price_minor == 0 {
            product.price_minor = price.rounded().max(0);
        }
    }
}

/// Returns the products of several files, each SKU once, with the data of its first lines.
pub(crate) fn products_of(months: &[Invoices]) -> Vec<Product> {
    let mut at: HashMap<&str, usize> = HashMap::new();
    let mut products: Vec<Product> = Vec::new();
    for seen in months.iter().flat_map(|month| &month.products) {
        let index = *at.entry(&seen.sku).or_insert_with(|| {
            products.push(Product { sku: seen.sku.clone(), name: String::new(), price_minor: 0 });
            products.len() - 1
        });
        let product = &mut products[index];
        if product.name.is_empty() {
            product.name.clone_from(&seen.name);
        }
        if product.price_minor == 0 {
            product.price_minor = seen.price_minor;
        }
    }
    for product in &mut products {
        if product.name.is_empty() {
            product.name.clone_from(&product.sku);
        }
        product.price_minor = product.price_minor.max(1);
    }
    products
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    fn invoices(lines: &str) -> Invoices {
        parse(format!("{HEAD}{lines}").as_bytes()).unwrap()
    }

    #[test]
    fn lines_of_one_invoice_make_one_sale_even_with_other_lines_between() {
        let read = invoices(
            "1,A,Lamp,2,2011-01-01,1.00,17850.0,UK\n2,A,Lamp,1,2011-01-01,1.00,,UK\n1, B ,Rug,1,2011-01-01,2.005,17850.0,UK\n",
        );
        assert_eq!(read.sales.len(), 2);
        assert_eq!(read.sales[0].customer.as_deref(), Some("17850"));
        let line = SaleLine { sku: "B".into(), units: 1, price_minor: 200 };
        assert_eq!(read.sales[0].lines[1], line);
        assert_eq!(read.sales[1].customer, None);
        assert_eq!(read.rounded_lines, 1);
    }

    #[test]
    fn only_sale_lines_and_returned_goods_count() {
        let read = invoices(
            "C1,A,,-2,d,1.00,,UK\nC1,A,,-3,d,1.10,,UK\nC2,A,,2,d,1.00,,UK\nA5,B,Adjust,1,d,-11062.06,,UK\n7,A,,-1,d,0.0,,UK\n8,A,,1,d,0.001,,UK\n",
        );
        assert_eq!(read.returns, [Return { invoice: "C1".into(), sku: "A".into(), units: 5 }]);
        assert_eq!((read.lines, read.skipped_lines, read.rounded_lines, read.sales.len()), (6, 4, 1, 0));
    }

    #[test]
    fn a_product_has_the_first_price_and_the_first_description_that_is_not_empty() {
        let first = invoices("1,A,,1,d,1.50,,UK\n1,B,,1,d,2,,UK\n");
        let second = invoices("2,A,LAMP,1,d,1.75,,UK\nC3,C,,-1,d,0.0,,UK\n");
        let products = products_of(&[first, second]);
        let facts: Vec<_> =
            products.iter().map(|p| (p.sku.as_str(), p.name.as_str(), p.price_minor)).collect();
        assert_eq!(facts, [("A", "LAMP", 150), ("B", "B", 200), ("C", "C", 1)]);
    }

    #[test]
    fn an_unreadable_line_is_reported_with_its_number() {
        let error = parse(format!("{HEAD}1,A,Lamp,two,d,1.00,,UK\n").as_bytes()).unwrap_err();
        assert!(format!("{error:#}").starts_with("line 2"), "{error:#}");
    }
}
