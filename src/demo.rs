//! Demo catalogue: products for a new shop.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};
use souk_command_api::import::{LineOutcome, import_texts};
use souk_domain::Sku;
use souk_domain::stock::{Stock, StockCommand};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandRequest, CorrelationId};

use crate::embedded::Embedded;

/// Products of the catalogue, one JSON object on each line, with the stock of each SKU.
const CATALOGUE: &str = include_str!("../demo/catalogue.jsonl");

/// Name of the file that exists in the data folder while the catalogue is being loaded.
const UNFINISHED: &str = "demo-unfinished";

/// Loads the catalogue into a shop whose log is empty, and waits until its products can be bought.
pub async fn load(shop: &Embedded) -> anyhow::Result<()> {
    // If the first start was interrupted, this start loads the rest.
    let unfinished = shop.folder.path().join(UNFINISHED);
    if shop.head_at_start.0 > 0 && !unfinished.exists() {
        shop.wait_for(shop.head_at_start).await;
        return Ok(());
    }
    fs::write(&unfinished, "")?;
    let lines = CATALOGUE.lines().map(serde_json::from_str::<Map<String, Value>>);
    let lines = lines.collect::<Result<Vec<_>, _>>().context("the built-in demo catalogue is malformed")?;
    let mut products = Vec::new();
    let mut counts = Vec::new();
    for mut product in lines {
        if let Some(Value::Object(stock)) = product.remove("stock") {
            counts.extend(stock.into_iter().filter_map(|(sku, units)| Some((sku, units.as_i64()?))));
        }
        products.push(Value::Object(product).to_string());
    }
    let actor = Actor::new("service", "demo");
    let correlation = CorrelationId::from(shop.ports.clock.new_id());
    let (lines, _) = import_texts(&shop.ports, &products, actor.clone(), correlation.clone(), false).await;
    if let Some(refused) = lines.iter().find(|line| line.outcome == LineOutcome::Refused) {
        bail!(
            "a product of the built-in demo catalogue was refused: {}",
            refused.reason.as_deref().unwrap_or("")
        );
    }
    let mut last = shop.head_at_start;
    for (sku, on_hand) in counts {
        let sku = Sku::parse(&sku)?;
        let origin = Origin::new(shop.ports.clock.new_id(), actor.clone(), correlation.clone());
        let request = CommandRequest::new(Stock::stream(&sku), StockCommand::Count { on_hand }, origin);
        last = last.max(shop.ports.aggregates.stock.execute(request).await?.position);
    }
    shop.wait_for(last).await;
    fs::remove_file(&unfinished)?;
    Ok(())
}

/// Returns three shell commands that buy a product.
pub fn first_purchase(address: SocketAddr) -> String {
    format!(
        "A first purchase:\n\n  \
         curl -s -H 'X-API-Version: v1' 'http://{address}/api/products?inStock=true&limit=3'\n\n  \
         CART=$(curl -s -D - -o /dev/null -H 'X-API-Version: v1' -H 'Content-Type: application/json' \
         -d '{{\"sku\":\"LAMP-OIL\",\"quantity\":1}}' http://{address}/api/cart/items \
         | sed -n 's/^x-cart-token: //p' | tr -d '\\r')\n\n  \
         curl -s -H 'X-API-Version: v1' -H 'Content-Type: application/json' -H \"X-Cart-Token: $CART\" \
         -H 'Prefer: wait=10' -d '{{\"cart\":true,\"email\":\"ada@example.org\",\"payment\":{{\"token\":\"tok_ok\"}}}}' \
         http://{address}/api/orders\n"
    )
}
