//! Expected totals of a sales trial, computed from the files.

use std::collections::BTreeMap;

use super::invoices::{Invoices, Product, products_of};
use super::totals::Totals;

/// Units of one SKU that are sold and returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Movement {
    pub(super) sold: i64,
    pub(super) returned: i64,
}

impl Movement {
    /// Returns the stock at the start: enough for all sales.
    pub(super) fn counted(self) -> i64 {
        self.sold
    }

    /// Returns the stock on hand at the end.
    pub(super) fn left(self) -> i64 {
        self.counted() - self.sold + self.returned
    }
}

/// Expected totals over all months.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) products: Vec<Product>,
    pub(super) movements: BTreeMap<String, Movement>,
    /// Sums over all months; `skus` is the number of products, and figures that are not compared are 0.
    pub(super) totals: Totals,
}

impl Books {
    pub(super) fn of(months: &[Invoices]) -> Self {
        let mut movements: BTreeMap<String, Movement> = BTreeMap::new();
        let mut totals = Totals::default();
        for month in months {
            for line in month.sales.iter().flat_map(|sale| &sale.lines) {
                movements.entry(line.sku.clone()).or_default().sold += line.units;
            }
            for goods in &month.returns {
                movements.entry(goods.sku.clone()).or_default().returned += goods.units;
            }
            let of_month = Totals::of(month);
            totals.orders += of_month.orders;
            totals.order_lines += of_month.order_lines;
            totals.reservations += of_month.reservations;
            totals.units += of_month.units;
            totals.revenue_minor += of_month.revenue_minor;
        }
        let products = products_of(months);
        totals.skus = products.len() as u64;
        Self { products, movements, totals }
    }
}
