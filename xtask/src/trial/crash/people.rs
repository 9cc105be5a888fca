//! People of the trial: guests and customers who say where they live, and some who want to be forgotten.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use serde_json::{Value, json};

use super::load::{Load, sku};
use crate::shop::{Call, ShopClient};

/// What every address of the trial begins with, and nothing else does: sealed, it is in no file.
const STREET: &str = "Umberfold Crescent";
const PASSWORD: &str = "a password of the trial";
/// How often a read model that lags is asked again.
const LOOKS_MAX: u32 = 100;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is to be known of where an order goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// This.
    Known(String),
    /// Nothing any more.
    Forgotten,
    /// Somebody asked to be forgotten and was not answered.
    Unknown,
}

fn address(street: &str) -> Value {
    json!({ "name": "Somebody", "line1": street, "city": "London", "country": "GB" })
}

impl Load {
    /// A guest orders from a cart; some of them want to be forgotten afterwards.
    pub(super) async fn order_as_guest(&self, chance: &mut Rng, key: &str) -> Result<()> {
        let add = json!({ "sku": sku(chance.u64(..super::load::SKUS)), "quantity": 1 + chance.u64(..3) });
        // The cart's token comes with the first write, which can't be repeated without it.
        let call = Call::post("/api/cart/items", &add).guest(None);
        let Ok(answer) = self.client.send(call).await else { return Ok(()) };
        let Some(cart) = answer.cart_token else { return Ok(()) };
        let (street, email) = (format!("{key} {STREET}"), format!("guest-{key}@example.org"));
        let body = json!({
            "cart": true, "email": email, "payment": { "token": "tok_ok" }, "shippingAddress": address(&street),
        });
        let call = Call::post("/api/orders", &body).guest(Some(&cart));
        let answer = self.client.send(call.key(format!("{}-cart-{key}", self.seed)).wait_s(10)).await?;
        let answer = answer.success("a guest's order")?;
        self.count_answer();
        let id = self.remember(&answer)?;
        self.goes_to(&id, Destination::Known(street));
        if chance.u64(..3) == 0 {
            let lookup = json!({ "code": answer.text("/code")?, "email": email });
            self.forget_guest(&id, &lookup).await?;
        }
        Ok(())
    }

    /// Asks until it is answered, or until the order says that it was done.
    async fn forget_guest(&self, order: &str, lookup: &Value) -> Result<()> {
        self.goes_to(order, Destination::Unknown);
        for _ in 0..LOOKS_MAX {
            let call = Call::post("/api/orders/lookup/erase", lookup).guest(None).key("a-repeat-is-harmless");
            let answer = self.client.send(call).await?;
            let is_done = answer.status == 202
                || self.client.send(Call::get(&format!("/api/orders/{order}"))).await?.body["addressErased"]
                    == true;
            if is_done {
                self.count_answer();
                self.goes_to(order, Destination::Forgotten);
                return Ok(());
            }
            ensure!(answer.status == 404, "erasing a guest: {} {}", answer.status, answer.body);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        anyhow::bail!("{order} is not found by its code")
    }

    /// Somebody makes an account and orders; some of them erase themselves afterwards.
    pub(super) async fn order_with_account(&self, chance: &mut Rng, key: &str) -> Result<()> {
        let (street, email) = (format!("{key} {STREET}"), format!("customer-{key}@example.org"));
        let body = json!({ "email": email, "password": PASSWORD, "name": "Somebody" });
        let call = Call::post("/api/auth/signup", &body).guest(None).key("a-repeat-finds-it-taken");
        let answer = self.client.send(call).await?;
        if answer.body["code"] == "email-taken" && answer.status == 409 {
            // An earlier try may have been cut off between its claim and the account: then nobody can sign
            // in yet, and the sweep frees the address in a minute.
            let login = json!({ "email": email, "password": PASSWORD });
            let call = Call::post("/api/auth/login", &login).guest(None).key("a-repeat-is-harmless");
            if self.client.send(call).await?.status == 401 {
                return Ok(());
            }
        } else {
            answer.success("an account")?;
        }
        self.count_answer();
        let token = self.signed_in(&email).await?;
        let line = json!({ "sku": sku(chance.u64(..super::load::SKUS)), "quantity": 1 });
        let body = json!({
            "lines": [line], "payment": { "token": "tok_ok" }, "shippingAddress": address(&street),
        });
        let call = Call::post("/api/orders", &body).bearer(&token);
        let answer = self.client.send(call.key(format!("account-{key}")).wait_s(10)).await?;
        let answer = answer.success("a customer's order")?;
        self.count_answer();
        let id = self.remember(&answer)?;
        self.goes_to(&id, Destination::Known(street));
        if chance.u64(..3) == 0 {
            self.goes_to(&id, Destination::Unknown);
            let body = json!({ "password": PASSWORD });
            let call = Call::delete("/api/users/me", &body).bearer(&token).key("a-repeat-is-harmless");
            let answer = self.client.send(call).await?;
            // A repeat of one that was cut off is asked by nobody any more.
            ensure!(
                matches!(answer.status, 202 | 401 | 404) || answer.body["code"] == "validation-failed",
                "erasing somebody: {} {}",
                answer.status,
                answer.body
            );
            self.count_answer();
            self.goes_to(&id, Destination::Forgotten);
        }
        Ok(())
    }

    async fn signed_in(&self, email: &str) -> Result<String> {
        let login = json!({ "email": email, "password": PASSWORD });
        let call = Call::post("/api/auth/login", &login).guest(None).key("a-repeat-is-harmless");
        let answer = self.client.send(call).await?.success("signing in")?;
        Ok(answer.text("/accessToken")?.to_owned())
    }
}

/// Every address is what was said, but for those of the forgotten, which are nowhere.
pub(super) async fn audit(client: &ShopClient, load: &Load) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for _ in 0..LOOKS_MAX {
        findings.clear();
        let orders = client.list("/api/orders", client.head().await?).await?;
        for (id, expected) in load.destinations() {
            let order = orders.iter().find(|order| order["id"] == id.as_str());
            let order = order.with_context(|| format!("order {id} is not listed"))?;
            let street = order.pointer("/shippingAddress/line1").and_then(Value::as_str);
            let is_right = match &expected {
                Destination::Known(wanted) => street == Some(wanted),
                Destination::Forgotten => street.is_none() && order["addressErased"] == true,
                Destination::Unknown => true,
            };
            if !is_right {
                findings.push(format!("order {id} goes to {street:?}, and {expected:?} was said"));
            }
        }
        if findings.is_empty() {
            break;
        }
        // An erasure that a kill cut off is finished by a sweep.
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(findings)
}

/// No file of the folder has an address in plain.
pub(super) fn traces(folder: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            findings.extend(traces(&path)?);
        } else if memchr::memmem::find(&std::fs::read(&path)?, STREET.as_bytes()).is_some() {
            findings.push(format!("an address is to be read in {}", path.display()));
        }
    }
    Ok(findings)
}
