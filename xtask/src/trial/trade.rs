//! The requests of a sales trial: each sale invoice becomes an order, and the trial waits until the order is
//! settled. The units of each cancellation are added to the stock. An order that ends without confirmation
//! does not stop the trial; the report lists it as a difference.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use anyhow::{Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::shop::{Call, ShopClient};

use super::invoices::{Invoices, Return, Sale};

/// Maximum number of concurrent requests.
pub(crate) const IN_FLIGHT_MAX: usize = 32;
/// Seconds that one call waits for an order: the longest wait of the API.
const WAIT_S: u32 = 30;
/// Maximum number of checks of an order that is not settled after the first wait.
const CHECKS_MAX: u32 = 240;
/// Milliseconds between two checks.
const CHECK_EVERY_MS: u64 = 250;

/// Results of the requests.
pub(super) struct TradeResults {
    /// Invoice of each order, by order id.
    pub(super) orders: HashMap<String, Sale>,
    /// Descriptions of failed requests and of orders that were not confirmed.
    pub(super) failures: Vec<String>,
}

enum Job<'a> {
    Sale(&'a Sale),
    Return(&'a Return),
}

enum Done<'a> {
    Order(String, &'a Sale),
    Returned,
    Failed(String),
}

/// Settings of one trial.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    /// Name of the trial in idempotency keys.
    pub(super) name: &'a str,
    /// True if orders have an e-mail address and a postal address.
    pub(super) people: bool,
}

/// Sends the invoices of all months in the order of the months, several at the same time.
pub(super) async fn trade(client: &ShopClient, months: &[Invoices], run: Run<'_>) -> Result<TradeResults> {
    let jobs: Vec<Job<'_>> = months.iter().flat_map(jobs_of).collect();
    let progress = progress_bar(jobs.len());
    let mut traded = TradeResults { orders: HashMap::new(), failures: Vec::new() };
    let calls = jobs.into_iter().map(|job| do_job(client, run, job));
    let mut done = stream::iter(calls).buffer_unordered(IN_FLIGHT_MAX);
    while let Some(outcome) = done.try_next().await? {
        progress.inc(1);
        match outcome {
            Done::Order(id, sale) => _ = traded.orders.insert(id, sale.clone()),
            Done::Returned => {}
            Done::Failed(failure) => traded.failures.push(failure),
        }
    }
    progress.finish_and_clear();
    Ok(traded)
}

fn jobs_of(month: &Invoices) -> impl Iterator<Item = Job<'_>> {
    month.sales.iter().map(Job::Sale).chain(month.returns.iter().map(Job::Return))
}

/// Returns a random name, so that the idempotency keys of two trials differ. With equal keys, a shop that was
/// used before would return the orders of the earlier trial.
pub(super) fn run_name() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn progress_bar(jobs: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} requests, {per_sec}, {eta} left")
        .expect("the template is valid");
    ProgressBar::new(jobs as u64).with_style(style)
}

async fn do_job<'a>(client: &ShopClient, run: Run<'_>, job: Job<'a>) -> Result<Done<'a>> {
    match job {
        Job::Sale(sale) => place(client, run, sale).await,
        Job::Return(goods) => add_returned_units(client, run, goods).await,
    }
}

async fn place<'a>(client: &ShopClient, run: Run<'_>, sale: &'a Sale) -> Result<Done<'a>> {
    let call = Call::post("/api/orders", &order(sale, run.people))
        .key(format!("trial-{}-{}", run.name, sale.invoice))
        .wait_s(WAIT_S);
    let response = client.send(call).await?;
    if ![200, 201, 202].contains(&response.status) {
        return Ok(Done::Failed(format!("invoice {}: {} {}", sale.invoice, response.status, response.body)));
    }
    let id = response.text("/id")?.to_owned();
    let status = response.text("/status")?.to_owned();
    let final_status = if is_settled(&status) { status } else { wait_until_settled(client, &id).await? };
    if final_status == "CONFIRMED" {
        Ok(Done::Order(id, sale))
    } else {
        Ok(Done::Failed(format!("invoice {}: order {id} ended with the status {final_status}", sale.invoice)))
    }
}

fn is_settled(status: &str) -> bool {
    !["PLACED", "PAYMENT_PENDING"].contains(&status)
}

async fn wait_until_settled(client: &ShopClient, id: &str) -> Result<String> {
    let path = format!("/api/orders/{id}");
    for _ in 0..CHECKS_MAX {
        let call = Call::get(&path).min_position(client.highest_position()).wait_s(WAIT_S);
        let response = client.send(call).await?.success(&path)?;
        let status = response.text("/status")?;
        if is_settled(status) {
            return Ok(status.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(CHECK_EVERY_MS)).await;
    }
    bail!("order {id} is not settled after {CHECKS_MAX} checks")
}

/// Body of an order that an admin places for a customer. The admin sets the price of each line. With
/// `people`, the order has an e-mail address and a postal address, which are derived from the customer
/// number, or from the invoice number of a guest.
fn order(sale: &Sale, people: bool) -> Value {
    let lines: Vec<Value> = sale
        .lines
        .iter()
        .map(|line| {
            let price = json!({"amount": line.price_minor, "currency": "GBP"});
            json!({"sku": line.sku, "quantity": line.units, "unitPrice": price})
        })
        .collect();
    let mut order = json!({"lines": lines, "payment": {"token": "tok_ok"}});
    if let Some(customer) = &sale.customer {
        order["customerId"] = json!(customer);
    }
    if people {
        let customer = sale.customer.as_deref().unwrap_or(&sale.invoice);
        order["email"] = json!(format!("customer-{customer}@example.org"));
        order["shippingAddress"] = json!({"name": format!("Customer {customer}"), "line1": format!("{customer} Test Street"),
            "city": "London", "postalCode": "N1 1AA", "country": "GB", "phone": "+44 20 7946 0000"});
    }
    order
}

async fn add_returned_units<'a>(client: &ShopClient, run: Run<'_>, goods: &Return) -> Result<Done<'a>> {
    let reason = format!("returned, invoice {}", goods.invoice);
    let body = json!({"sku": goods.sku, "change": goods.units, "reason": reason});
    let key = format!("trial-{}-{}-{}", run.name, goods.invoice, goods.sku.replace(' ', "_"));
    let response = client.send(Call::post("/api/inventory/stock", &body).key(key)).await?;
    if (200..300).contains(&response.status) {
        Ok(Done::Returned)
    } else {
        Ok(Done::Failed(format!("{} of {}: {} {}", goods.invoice, goods.sku, response.status, response.body)))
    }
}
