//! Totals of a month: computed from its invoices, or read from `totals.csv` beside the file.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::invoices::Invoices;

/// Totals of one month. The field names are the columns of `totals.csv`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) lines: u64,
    pub(crate) orders: u64,
    pub(crate) order_lines: u64,
    pub(crate) reservations: u64,
    pub(crate) units: i64,
    pub(crate) revenue_minor: i64,
    pub(crate) rounded_lines: u64,
    pub(crate) skus: u64,
    pub(crate) guest_orders: u64,
    pub(crate) return_invoices: u64,
    pub(crate) returned_units: i64,
    pub(crate) skipped_lines: u64,
}

#[derive(Deserialize)]
struct NamedTotals {
    month: String,
    #[serde(flatten)]
    totals: Totals,
}

impl Totals {
    /// Computes the totals of a file.
    pub(crate) fn of(invoices: &Invoices) -> Self {
        let mut totals = Self {
            lines: invoices.lines,
            skipped_lines: invoices.skipped_lines,
            rounded_lines: invoices.rounded_lines,
            ..Self::default()
        };
        let mut all_skus = HashSet::new();
        for sale in &invoices.sales {
            let priced: HashSet<_> = sale.lines.iter().map(|line| (&line.sku, line.price_minor)).collect();
            let skus: HashSet<_> = sale.lines.iter().map(|line| &line.sku).collect();
            totals.orders += 1;
            totals.order_lines += priced.len() as u64;
            totals.reservations += skus.len() as u64;
            totals.guest_orders += u64::from(sale.customer.is_none());
            totals.units += sale.lines.iter().map(|line| line.units).sum::<i64>();
            totals.revenue_minor += sale.lines.iter().map(|line| line.units * line.price_minor).sum::<i64>();
            all_skus.extend(skus);
        }
        totals.skus = all_skus.len() as u64;
        let return_invoices: HashSet<_> = invoices.returns.iter().map(|goods| &goods.invoice).collect();
        totals.return_invoices = return_invoices.len() as u64;
        totals.returned_units = invoices.returns.iter().map(|goods| goods.units).sum();
        totals
    }

    /// Reads the row of `totals.csv` whose month is the name of `file`; none if there is no such row.
    pub(crate) fn published_beside(file: &Path) -> Result<Option<Self>> {
        let table = file.with_file_name("totals.csv");
        if !table.is_file() {
            return Ok(None);
        }
        let file_name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let month = file_name.split('.').next().unwrap_or_default();
        let mut reader =
            csv::Reader::from_path(&table).with_context(|| format!("{} can't be read", table.display()))?;
        for row in reader.deserialize() {
            let row: NamedTotals = row.with_context(|| table.display().to_string())?;
            if row.month == month {
                return Ok(Some(row.totals));
            }
        }
        Ok(None)
    }

    /// Returns each figure with its name, for a comparison that names the differences.
    pub(crate) fn figures(&self) -> [(&'static str, i64); 12] {
        let count = |value: u64| i64::try_from(value).expect("a file has fewer than 2^63 lines");
        [
            ("lines", count(self.lines)),
            ("orders", count(self.orders)),
            ("order lines", count(self.order_lines)),
            ("reservations", count(self.reservations)),
            ("units", self.units),
            ("revenue in minor units", self.revenue_minor),
            ("rounded lines", count(self.rounded_lines)),
            ("SKUs", count(self.skus)),
            ("guest orders", count(self.guest_orders)),
            ("return invoices", count(self.return_invoices)),
            ("returned units", self.returned_units),
            ("skipped lines", count(self.skipped_lines)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{generated_month, real_data, trial::invoices};

    fn check(file: &Path) {
        let computed = Totals::of(&invoices::read(file).unwrap());
        let published = Totals::published_beside(file).unwrap().expect("totals.csv has the month");
        assert_eq!(computed, published, "{}", file.display());
    }

    #[test]
    fn the_totals_of_a_generated_month_equal_the_totals_of_its_generator() {
        let scratch = tempfile::tempdir().unwrap();
        check(&generated_month::write(scratch.path(), 1).unwrap());
        check(&generated_month::write(&scratch.path().join("other"), 2).unwrap());
    }

    #[test]
    fn the_totals_of_every_month_equal_its_published_totals() {
        let scratch = tempfile::tempdir().unwrap();
        let months = real_data::all_months(scratch.path()).unwrap();
        println!("{}", months.described);
        months.files.iter().for_each(|file| check(file));
    }
}
