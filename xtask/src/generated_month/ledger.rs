//! Writes the lines of a generated month and counts their totals.

use std::collections::{BTreeSet, HashSet};
use std::io::Write;

use anyhow::Result;

/// Lines written so far, and their totals.
pub(super) struct Ledger<W: Write> {
    rows: csv::Writer<W>,
    lines: u64,
    skipped_lines: u64,
    orders: HashSet<String>,
    guest_orders: HashSet<String>,
    order_lines: HashSet<(String, String, u64)>,
    reservations: HashSet<(String, String)>,
    skus: BTreeSet<String>,
    return_invoices: HashSet<String>,
    units: u64,
    revenue_minor: u64,
    rounded_lines: u64,
    returned_units: u64,
}

impl<W: Write> Ledger<W> {
    pub(super) fn new(mut rows: csv::Writer<W>) -> Result<Self> {
        rows.write_record([
            "InvoiceNo",
            "StockCode",
            "Description",
            "Quantity",
            "InvoiceDate",
            "UnitPrice",
            "CustomerID",
            "Country",
        ])?;
        Ok(Self {
            rows,
            lines: 0,
            skipped_lines: 0,
            orders: HashSet::new(),
            guest_orders: HashSet::new(),
            order_lines: HashSet::new(),
            reservations: HashSet::new(),
            skus: BTreeSet::new(),
            return_invoices: HashSet::new(),
            units: 0,
            revenue_minor: 0,
            rounded_lines: 0,
            returned_units: 0,
        })
    }

    /// Writes a line of a sale. `thousandths` is the price of one unit in thousandths of a pound.
    pub(super) fn sale(
        &mut self,
        invoice: &str,
        sku: &str,
        description: &str,
        units: u64,
        thousandths: u64,
        customer: &str,
    ) -> Result<()> {
        let minor = rounded_pence(thousandths);
        let invoice = invoice.to_owned();
        let trimmed = sku.trim().to_owned();
        self.orders.insert(invoice.clone());
        if customer.is_empty() {
            self.guest_orders.insert(invoice.clone());
        }
        self.order_lines.insert((invoice.clone(), trimmed.clone(), minor));
        self.reservations.insert((invoice.clone(), trimmed.clone()));
        self.skus.insert(trimmed);
        self.units += units;
        self.revenue_minor += units * minor;
        self.rounded_lines += u64::from(!thousandths.is_multiple_of(10));
        self.write(&invoice, sku, description, &units.to_string(), &decimal(thousandths), customer)
    }

    /// Writes a line of a cancellation: units that were sold and came back.
    pub(super) fn returned(
        &mut self,
        invoice: &str,
        sku: &str,
        description: &str,
        units: u64,
        thousandths: u64,
        customer: &str,
    ) -> Result<()> {
        self.return_invoices.insert(invoice.to_owned());
        self.returned_units += units;
        self.write(invoice, sku, description, &format!("-{units}"), &decimal(thousandths), customer)
    }

    /// Writes a line that is neither a sale nor a cancellation.
    pub(super) fn other(
        &mut self,
        invoice: &str,
        sku: &str,
        description: &str,
        quantity: i64,
        price: &str,
    ) -> Result<()> {
        self.skipped_lines += 1;
        self.write(invoice, sku, description, &quantity.to_string(), price, "")
    }

    /// Writes a line with a price that rounds to zero, on an invoice of a sale. The line counts as skipped.
    pub(super) fn zero_price(&mut self, invoice: &str, sku: &str, description: &str) -> Result<()> {
        self.rounded_lines += 1;
        self.other(invoice, sku, description, 1, "0.001")
    }

    fn write(
        &mut self,
        invoice: &str,
        sku: &str,
        description: &str,
        units: &str,
        price: &str,
        customer: &str,
    ) -> Result<()> {
        self.lines += 1;
        let date = "2010-11-15 10:00:00";
        Ok(self.rows.write_record([
            invoice,
            sku,
            description,
            units,
            date,
            price,
            customer,
            "United Kingdom",
        ])?)
    }

    /// Completes the file and returns the content of `totals.csv`.
    pub(super) fn finish(mut self, month: &str) -> Result<String> {
        self.rows.flush()?;
        let header = "month,lines,orders,order_lines,reservations,units,revenue_minor,rounded_lines,skus,\
                    guest_orders,return_invoices,returned_units,skipped_lines";
        let figures = [
            self.lines,
            self.orders.len() as u64,
            self.order_lines.len() as u64,
            self.reservations.len() as u64,
            self.units,
            self.revenue_minor,
            self.rounded_lines,
            self.skus.len() as u64,
            self.guest_orders.len() as u64,
            self.return_invoices.len() as u64,
            self.returned_units,
            self.skipped_lines,
        ];
        let row: Vec<String> = figures.iter().map(u64::to_string).collect();
        Ok(format!("{header}\n{month},{}\n", row.join(",")))
    }
}

/// Returns a price as a decimal number of pounds, with two or three decimals.
fn decimal(thousandths: u64) -> String {
    let pounds = thousandths / 1_000;
    let rest = thousandths % 1_000;
    if rest.is_multiple_of(10) { format!("{pounds}.{:02}", rest / 10) } else { format!("{pounds}.{rest:03}") }
}

/// Returns a price in pence, rounded half to even.
fn rounded_pence(thousandths: u64) -> u64 {
    let floor = thousandths / 10;
    let rest = thousandths % 10;
    floor + u64::from(rest > 5 || (rest == 5 && floor % 2 == 1))
}
