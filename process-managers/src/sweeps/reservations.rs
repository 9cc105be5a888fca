//! Expiry of reservations that were not confirmed in time. The decider of the stock decides which reservations
//! of a SKU expire.

use souk_domain::Sku;
use souk_domain::stock::{Stock, StockCommand};
use souk_eventsourcing::CommandRequest;

use super::{SweepError, origin};
use crate::ports::ShopPorts;

/// Name of the sweep.
pub const NAME: &str = "expiry-sweep";

/// Expires the overdue reservations of a SKU.
pub async fn expire(ports: &ShopPorts, sku: &Sku) -> Result<(), SweepError> {
    let origin = origin(&*ports.clock, NAME);
    let request = CommandRequest::new(Stock::stream(sku), StockCommand::ExpireDue, origin);
    ports.aggregates.stock.execute(request).await?;
    Ok(())
}
