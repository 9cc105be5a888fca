//! Results of a sales trial, as numbers.

use std::fmt;

use serde::Serialize;

/// Counts and times of a trial, and all differences between the shop and the expected sales.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pub(crate) months: usize,
    pub(crate) orders: u64,
    pub(crate) order_lines: u64,
    pub(crate) units: i64,
    pub(crate) revenue_minor: i64,
    pub(crate) products: usize,
    /// Time to create products and stock.
    pub(crate) stocking_seconds: f64,
    /// Time for orders and returns, until the last order is settled.
    pub(crate) trading_seconds: f64,
    /// Time of the whole trial, including the comparison.
    pub(crate) seconds: f64,
    pub(crate) client_cpu_seconds: f64,
    /// CPU time of the shop; `None` if the trial did not start the shop.
    pub(crate) server_cpu_seconds: Option<f64>,
    pub(crate) retries: u64,
    /// Highest log position in any response.
    pub(crate) head: u64,
    pub(crate) differences: Vec<String>,
}

impl Figures {
    /// Returns the orders per second. The times of stocking and of the comparison do not count.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn orders_per_second(&self) -> f64 {
        self.orders as f64 / self.trading_seconds
    }

    /// Returns the order lines per second. The times of stocking and of the comparison do not count.
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
            "{} orders of {} lines in {:.1} s: {:.0} orders/s, {:.0} lines/s, {} calls repeated",
            self.orders,
            self.order_lines,
            self.trading_seconds,
            self.orders_per_second(),
            self.lines_per_second(),
            self.retries
        )?;
        let pounds = self.revenue_minor / 100;
        let pence = self.revenue_minor % 100;
        writeln!(f, "{} units for {pounds}.{pence:02}; log position {}", self.units, self.head)?;
        write!(f, "{:.1} s with the comparison; CPU: client {:.1} s", self.seconds, self.client_cpu_seconds)?;
        match self.server_cpu_seconds {
            Some(seconds) => write!(f, ", shop {seconds:.1} s"),
            None => Ok(()),
        }
    }
}
