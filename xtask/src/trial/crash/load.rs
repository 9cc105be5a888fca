//! Load of the crash trial: buyers who order, cancel, request refunds, correct stock and send webhooks. They
//! record every acknowledged write. Buyers with an address are in [`super::people`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::people::Destination;
use crate::shop::{Call, Response, ShopClient};
use fastrand::Rng;

/// Webhook secret of the shop.
pub(super) const WEBHOOK_SECRET: &str = "a secret of the trial";
/// Number of SKUs.
pub(super) const SKUS: u64 = 6;
/// Units of each SKU at the start, in addition to [`UNITS_PER_KILL`]. They are few, so that some orders find
/// too little stock.
const UNITS: i64 = 200;
/// Units of each SKU at the start, for each planned kill.
const UNITS_PER_KILL: i64 = 10;
/// Price of one unit, in minor units.
pub(super) const PRICE: i64 = 250;
/// Largest number of lines of an order.
const LINES_MAX: u64 = 3;

/// Record of the acknowledged writes to one order.
#[derive(Clone, Debug, Default)]
pub(super) struct OrderRecord {
    pub(super) status: String,
    /// True if a cancellation was accepted.
    pub(super) cancelled: bool,
    /// Amounts of accepted refunds, in minor units.
    pub(super) refunds: Vec<i64>,
}

/// Records that all buyers share.
pub(super) struct Load {
    pub(super) client: Arc<ShopClient>,
    pub(super) seed: u64,
    orders: Mutex<BTreeMap<String, OrderRecord>>,
    /// Expected shipping address of each order that has one.
    destinations: Mutex<BTreeMap<String, Destination>>,
    /// Units of each SKU that were added to the stock.
    counted: Mutex<BTreeMap<String, i64>>,
    acknowledged: AtomicU64,
}

pub(super) fn sku(number: u64) -> String {
    format!("CRASH-{number}")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Creates the products and their stock.
    pub(super) async fn stocked(client: Arc<ShopClient>, seed: u64, kills: u64) -> Result<Self> {
        let units = UNITS + UNITS_PER_KILL * i64::try_from(kills)?;
        let load = Self {
            client,
            seed,
            orders: Mutex::new(BTreeMap::new()),
            destinations: Mutex::new(BTreeMap::new()),
            counted: Mutex::new(BTreeMap::new()),
            acknowledged: AtomicU64::new(0),
        };
        for number in 0..SKUS {
            let sku = sku(number);
            let product = json!({ "name": sku, "sku": sku, "price": { "amount": PRICE, "currency": "GBP" } });
            load.write("/api/products", &product, &format!("product-{sku}")).await?.success("a product")?;
            let stock = json!({ "sku": sku, "onHand": units });
            load.write("/api/inventory/stock", &stock, &format!("stock-{sku}")).await?.success("stock")?;
            locked(&load.counted).insert(sku, units);
        }
        Ok(load)
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(super) fn orders(&self) -> BTreeMap<String, OrderRecord> {
        locked(&self.orders).clone()
    }

    pub(super) fn destinations(&self) -> BTreeMap<String, Destination> {
        locked(&self.destinations).clone()
    }

    pub(super) fn expect_destination(&self, order: &str, destination: Destination) {
        locked(&self.destinations).insert(order.to_owned(), destination);
    }

    pub(super) fn count_acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counted(&self) -> BTreeMap<String, i64> {
        locked(&self.counted).clone()
    }

    /// Sends a write with an idempotency key, and repeats it until there is a response.
    async fn write(&self, path: &str, body: &Value, key: &str) -> Result<Response> {
        let key = format!("{}-{key}", self.seed);
        let response = self.client.send(Call::post(path, body).key(key).wait_s(10)).await?;
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        ensure!(response.status < 500, "{path}: {} {}", response.status, response.body);
        Ok(response)
    }

    /// Sends requests as one buyer until `enough` is true.
    pub(super) async fn buy(&self, buyer: u64, enough: &AtomicBool) -> Result<()> {
        let mut chance = Rng::with_seed(self.seed.wrapping_mul(1_000).wrapping_add(buyer));
        let mut turn = 0;
        while !enough.load(Ordering::Relaxed) {
            turn += 1;
            let key = format!("{buyer}-{turn}");
            match chance.u64(..20) {
                0..=1 => self.correct_stock(&mut chance, &key).await?,
                2..=3 => self.pay_by_webhook(&mut chance, &key).await?,
                4..=5 => self.order_as_guest(&mut chance, &key).await?,
                6 => self.order_with_account(&mut chance, &key).await?,
                _ => {
                    let token = ["tok_ok", "tok_ok", "tok_slow_30", "tok_flaky_1", "tok_decline"];
                    let token = token[chance.usize(..token.len())];
                    let id = self.order(&mut chance, token, &key).await?;
                    self.cancel_or_refund(&mut chance, &id, &key).await?;
                }
            }
        }
        Ok(())
    }

    async fn order(&self, chance: &mut Rng, token: &str, key: &str) -> Result<String> {
        let mut lines = BTreeMap::new();
        for _ in 0..=chance.u64(..LINES_MAX) {
            lines.insert(sku(chance.u64(..SKUS)), 1 + chance.u64(..3));
        }
        let lines: Vec<Value> =
            lines.into_iter().map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity })).collect();
        let body = json!({ "lines": lines, "payment": { "token": token } });
        let response =
            self.write("/api/orders", &body, &format!("order-{key}")).await?.success("an order")?;
        self.record_order(&response)
    }

    pub(super) fn record_order(&self, order: &Response) -> Result<String> {
        let id = order.text("/id")?.to_owned();
        let status = order.text("/status")?.to_owned();
        locked(&self.orders).entry(id.clone()).or_default().status = status;
        Ok(id)
    }

    /// Cancels some orders and requests partial refunds of others.
    async fn cancel_or_refund(&self, chance: &mut Rng, id: &str, key: &str) -> Result<()> {
        match chance.u64(..6) {
            0 => {
                let path = format!("/api/orders/{id}/cancel");
                let body = json!({ "reason": "changed my mind" });
                let response = self.write(&path, &body, &format!("cancel-{key}")).await?;
                if response.status == 200
                    && let Some(record) = locked(&self.orders).get_mut(id)
                {
                    // An order that had already timed out stays so, and the response shows this.
                    record.cancelled = response.text("/status")? != "TIMED_OUT";
                }
            }
            1 => {
                let path = format!("/api/orders/{id}");
                let order = self.client.send(Call::get(&path)).await?;
                let Ok(payment) = order.text("/payment/id").map(str::to_owned) else { return Ok(()) };
                let amount = 1 + i64::try_from(chance.u64(..100))?;
                let path = format!("/api/payments/{payment}/refunds");
                let body =
                    json!({ "amount": { "amount": amount, "currency": "GBP" }, "reason": "a scratch" });
                let response = self.write(&path, &body, &format!("refund-{key}")).await?;
                if response.status < 300
                    && let Some(record) = locked(&self.orders).get_mut(id)
                {
                    record.refunds.push(amount);
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn correct_stock(&self, chance: &mut Rng, key: &str) -> Result<()> {
        let sku = sku(chance.u64(..SKUS));
        let change = 1 + i64::try_from(chance.u64(..5))?;
        let body = json!({ "sku": sku, "change": change, "reason": "found behind the shelf" });
        let path = "/api/inventory/stock";
        self.write(path, &body, &format!("found-{key}")).await?.success("more stock")?;
        *locked(&self.counted).entry(sku).or_default() += change;
        Ok(())
    }

    /// Orders with a payment that is authorized by a webhook, and sends this webhook twice.
    async fn pay_by_webhook(&self, chance: &mut Rng, key: &str) -> Result<()> {
        let body = json!({
            "lines": [{ "sku": sku(chance.u64(..SKUS)), "quantity": 1 }], "payment": { "token": "tok_webhook" },
        });
        let call = Call::post("/api/orders", &body).key(format!("{}-hook-{key}", self.seed)).wait_s(0);
        let response = self.client.send(call).await?.success("an order")?;
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        let id = self.record_order(&response)?;
        let path = format!("/api/orders/{id}");
        for _ in 0..20 {
            let order = self.client.send(Call::get(&path)).await?;
            if let Ok(payment) = order.text("/payment/id") {
                let event = json!({
                    "id": format!("evt-{}-{key}", self.seed), "type": "payment.authorized",
                    "providerPaymentId": format!("sim_{payment}"), "createdAt": order.text("/placedAt")?,
                });
                for _ in 0..2 {
                    self.client.send(signed_webhook(&event.to_string())).await?.success("a webhook")?;
                }
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        Ok(())
    }
}

/// Signs the body of a webhook.
fn signed_webhook(body: &str) -> Call<'static> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).expect("HMAC accepts keys of any length");
    mac.update(body.as_bytes());
    let mut signature = String::new();
    for byte in mac.finalize().into_bytes() {
        let _ = write!(signature, "{byte:02x}");
    }
    Call::webhook(body.to_owned(), signature)
}
