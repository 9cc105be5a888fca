//! What a trial measured.

use std::fmt;

use serde::Serialize;

/// Counts, times and every difference.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pub(crate) months: usize,
    pub(crate) orders: u64,
    pub(crate) order_lines: u64,
    pub(crate) units: i64,
    pub(crate) revenue_minor: i64,
    pub(crate) products: usize,
    /// Products and stock.
    pub(crate) stocking_seconds: f64,
    /// Orders and returns, to the last settled.
    pub(crate) trading_seconds: f64,
    /// Everything, the comparison too.
    pub(crate) seconds: f64,
    pub(crate) client_cpu_seconds: f64,
    /// None for a shop that runs elsewhere.
    pub(crate) server_cpu_seconds: Option<f64>,
    pub(crate) retries: u64,
    /// The highest position any answer named.
    pub(crate) head: u64,
    pub(crate) differences: Vec<String>,
}

impl Figures {
    /// Orders a second while trading.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn orders_per_second(&self) -> f64 {
        self.orders as f64 / self.trading_seconds
    }

    /// Order lines a second while trading.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn lines_per_second(&self) -> f64 {
        self.order_lines as f64 / self.trading_seconds
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} products with stock in {:.1} s", self.products, self.stocking_seconds)?;
        writeln!(
            f,
            "{} orders of {} lines in {:.1} s: {:.0} orders/s, {:.0} lines/s, {} calls sent again",
            self.orders,
            self.order_lines,
            self.trading_seconds,
            self.orders_per_second(),
            self.lines_per_second(),
            self.retries
        )?;
        let (pounds, pence) = (self.revenue_minor / 100, self.revenue_minor % 100);
        writeln!(f, "{} units for {pounds}.{pence:02}; log at {}", self.units, self.head)?;
        write!(f, "{:.1} s with the comparison; CPU: client {:.1} s", self.seconds, self.client_cpu_seconds)?;
        match self.server_cpu_seconds {
            Some(seconds) => write!(f, ", shop {seconds:.1} s"),
            None => Ok(()),
        }
    }
}
