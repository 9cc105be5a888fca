//! Preparation of a sales trial: creates every product with its price, and enough stock of each SKU.

use anyhow::{Result, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::shop::{Call, ShopClient};

use super::books::Books;
use super::invoices::Product;
use super::trade::IN_FLIGHT_MAX;

/// Number of products in one import request.
const IMPORT_BATCH_PRODUCTS: usize = 500;

/// Creates the products, with the import if the shop supports it.
pub(super) async fn import_products(client: &ShopClient, products: &[Product]) -> Result<()> {
    for batch in products.chunks(IMPORT_BATCH_PRODUCTS) {
        let lines: Vec<String> = batch.iter().map(|product| document(product).to_string()).collect();
        let response =
            client.send(Call::post_lines("/api/admin/import/products", lines.join("\n") + "\n")).await?;
        if [404, 405].contains(&response.status) {
            return create_one_by_one(client, products).await;
        }
        let response = response.success("POST /api/admin/import/products")?;
        let refused = refused_lines(&response.body);
        ensure!(refused.is_empty(), "{} products were refused, the first: {}", refused.len(), refused[0]);
    }
    Ok(())
}

/// Returns the lines that an import refused.
fn refused_lines(report: &Value) -> Vec<&Value> {
    let listed = report["refused"].as_array().or_else(|| report["errors"].as_array());
    listed.map(|lines| lines.iter().collect()).unwrap_or_default()
}

async fn create_one_by_one(client: &ShopClient, products: &[Product]) -> Result<()> {
    let calls = products.iter().map(|product| async move {
        let key = format!("trial-product-{}", product.sku.replace(' ', "_"));
        let response = client.send(Call::post("/api/products", &document(product)).key(key)).await?;
        match response.status {
            200 | 201 => Ok(()),
            // The product exists from an earlier trial. Each order line has its own price, so any product
            // will do.
            409 if response.body["code"] == "sku-taken" => Ok(()),
            status => bail!("product {}: {status} {}", product.sku, response.body),
        }
    });
    stream::iter(calls).buffer_unordered(IN_FLIGHT_MAX).try_collect().await
}

fn document(product: &Product) -> Value {
    json!({
        "name": product.name,
        "description": "",
        "category": "trial",
        "attributes": {},
        "active": true,
        "variants": [{
            "sku": product.sku,
            "options": {},
            "price": {"amount": product.price_minor, "currency": "GBP"},
            "images": [],
        }],
    })
}

/// Sets the stock of every SKU. `run` distinguishes this trial in the idempotency keys.
pub(super) async fn count_stock(client: &ShopClient, books: &Books, run: &str) -> Result<()> {
    let calls = books.movements.iter().map(|(sku, movement)| async move {
        let key = format!("trial-{run}-count-{}", sku.replace(' ', "_"));
        let body = json!({"sku": sku, "onHand": movement.counted()});
        client.send(Call::post("/api/inventory/stock", &body).key(key)).await?.success(sku).map(|_| ())
    });
    stream::iter(calls).buffer_unordered(IN_FLIGHT_MAX).try_collect().await
}
