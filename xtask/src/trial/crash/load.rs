//! The load: buyers who order, cancel, refund, correct stock and pass webhooks on, and remember what they
//! were told. Those among them who say who they are are in [`super::people`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::people::Destination;
use crate::shop::{Answer, Call, ShopClient};
use fastrand::Rng;

/// The secret of webhooks.
pub(super) const WEBHOOK_SECRET: &str = "a secret of the trial";
/// SKUs that are sold.
pub(super) const SKUS: u64 = 6;
/// Units of each at the start, and more for each kill: few enough that some orders find too little.
const UNITS: i64 = 200;
const UNITS_PER_KILL: i64 = 10;
/// What a unit costs, in minor units.
pub(super) const PRICE: i64 = 250;
/// Lines of an order at most.
const LINES_MAX: u64 = 3;

/// What an order was said to have become.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) status: String,
    /// Whether a cancellation was accepted.
    pub(super) cancelled: bool,
    /// Refunds that were accepted, in minor units.
    pub(super) refunds: Vec<i64>,
}

/// What the buyers know.
pub(super) struct Load {
    pub(super) client: Arc<ShopClient>,
    pub(super) seed: u64,
    orders: Mutex<BTreeMap<String, Told>>,
    /// Where orders go, as far as somebody said.
    destinations: Mutex<BTreeMap<String, Destination>>,
    /// Units of each SKU that were counted in.
    counted: Mutex<BTreeMap<String, i64>>,
    answered: AtomicU64,
}

pub(super) fn sku(number: u64) -> String {
    format!("CRASH-{number}")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Products and stock are there.
    pub(super) async fn stocked(client: Arc<ShopClient>, seed: u64, kills: u64) -> Result<Self> {
        let units = UNITS + UNITS_PER_KILL * i64::try_from(kills)?;
        let load = Self {
            client,
            seed,
            orders: Mutex::new(BTreeMap::new()),
            destinations: Mutex::new(BTreeMap::new()),
            counted: Mutex::new(BTreeMap::new()),
            answered: AtomicU64::new(0),
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

    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn orders(&self) -> BTreeMap<String, Told> {
        locked(&self.orders).clone()
    }

    pub(super) fn destinations(&self) -> BTreeMap<String, Destination> {
        locked(&self.destinations).clone()
    }

    pub(super) fn goes_to(&self, order: &str, destination: Destination) {
        locked(&self.destinations).insert(order.to_owned(), destination);
    }

    pub(super) fn count_answer(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counted(&self) -> BTreeMap<String, i64> {
        locked(&self.counted).clone()
    }

    /// A write under a key, repeated until it is answered.
    async fn write(&self, path: &str, body: &Value, key: &str) -> Result<Answer> {
        let key = format!("{}-{key}", self.seed);
        let answer = self.client.send(Call::post(path, body).key(key).wait_s(10)).await?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        ensure!(answer.status < 500, "{path}: {} {}", answer.status, answer.body);
        Ok(answer)
    }

    /// Buys until it is enough.
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
                    self.afterwards(&mut chance, &id, &key).await?;
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
        let answer = self.write("/api/orders", &body, &format!("order-{key}")).await?.success("an order")?;
        self.remember(&answer)
    }

    pub(super) fn remember(&self, order: &Answer) -> Result<String> {
        let id = order.text("/id")?.to_owned();
        let status = order.text("/status")?.to_owned();
        locked(&self.orders).entry(id.clone()).or_default().status = status;
        Ok(id)
    }

    /// Some orders are cancelled, of some a part is paid back.
    async fn afterwards(&self, chance: &mut Rng, id: &str, key: &str) -> Result<()> {
        match chance.u64(..6) {
            0 => {
                let path = format!("/api/orders/{id}/cancel");
                let body = json!({ "reason": "changed my mind" });
                let answer = self.write(&path, &body, &format!("cancel-{key}")).await?;
                if answer.status == 200
                    && let Some(told) = locked(&self.orders).get_mut(id)
                {
                    // One that had timed out by then stays so, and is told to.
                    told.cancelled = answer.text("/status")? != "TIMED_OUT";
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
                let answer = self.write(&path, &body, &format!("refund-{key}")).await?;
                if answer.status < 300
                    && let Some(told) = locked(&self.orders).get_mut(id)
                {
                    told.refunds.push(amount);
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn correct_stock(&self, chance: &mut Rng, key: &str) -> Result<()> {
        let (sku, change) = (sku(chance.u64(..SKUS)), 1 + i64::try_from(chance.u64(..5))?);
        let body = json!({ "sku": sku, "change": change, "reason": "found behind the shelf" });
        let path = "/api/inventory/stock";
        self.write(path, &body, &format!("found-{key}")).await?.success("more stock")?;
        *locked(&self.counted).entry(sku).or_default() += change;
        Ok(())
    }

    /// The provider accepts, and says so twice later.
    async fn pay_by_webhook(&self, chance: &mut Rng, key: &str) -> Result<()> {
        let body = json!({
            "lines": [{ "sku": sku(chance.u64(..SKUS)), "quantity": 1 }], "payment": { "token": "tok_webhook" },
        });
        let call = Call::post("/api/orders", &body).key(format!("{}-hook-{key}", self.seed)).wait_s(0);
        let answer = self.client.send(call).await?.success("an order")?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        let id = self.remember(&answer)?;
        let path = format!("/api/orders/{id}");
        for _ in 0..20 {
            let order = self.client.send(Call::get(&path)).await?;
            if let Ok(payment) = order.text("/payment/id") {
                let event = json!({
                    "id": format!("evt-{}-{key}", self.seed), "type": "payment.authorized",
                    "providerPaymentId": format!("sim_{payment}"), "createdAt": order.text("/placedAt")?,
                });
                for _ in 0..2 {
                    self.client.send(signed(&event.to_string())).await?.success("a webhook")?;
                }
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        Ok(())
    }
}

/// A webhook, signed; it may be repeated, since its event has an id.
fn signed(body: &str) -> Call<'static> {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).expect("any length is allowed");
    mac.update(body.as_bytes());
    let mut signature = String::new();
    for byte in mac.finalize().into_bytes() {
        let _ = write!(signature, "{byte:02x}");
    }
    Call::webhook(body.to_owned(), signature)
}
