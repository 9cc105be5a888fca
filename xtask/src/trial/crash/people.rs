//! Buyers with personal data: guests and customers who order with an address. Some of them request an
//! erasure.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use serde_json::{Value, json};

use super::load::{Load, sku};
use crate::shop::{Call, ShopClient};

/// Street name in every address of the trial and in no other text. Addresses are sealed, so no file may
/// contain it.
const STREET: &str = "Umberfold Crescent";
const PASSWORD: &str = "a password of the trial";
/// Maximum number of checks of a read model that may be behind the log.
const CHECKS_MAX: u32 = 100;
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// Expected shipping address of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// The order has an address with this street.
    Street(String),
    /// The address was erased.
    Erased,
    /// An erasure was requested, and its response is missing. The address may be erased or not.
    Unknown,
}

fn address(street: &str) -> Value {
    json!({ "name": "Somebody", "line1": street, "city": "London", "country": "GB" })
}

impl Load {
    /// Places an order from a cart as a guest. Some guests request an erasure afterwards.
    pub(super) async fn order_as_guest(&self, chance: &mut Rng, key: &str) -> Result<()> {
        let add = json!({ "sku": sku(chance.u64(..super::load::SKUS)), "quantity": 1 + chance.u64(..3) });
        // The response to the first write contains the cart token, so this write can't be repeated.
        let call = Call::post("/api/cart/items", &add).guest(None);
        let Ok(response) = self.client.send(call).await else { return Ok(()) };
        let Some(cart) = response.cart_token else { return Ok(()) };
        let street = format!("{key} {STREET}");
        let email = format!("guest-{key}@example.org");
        let body = json!({
            "cart": true, "email": email, "payment": { "token": "tok_ok" }, "shippingAddress": address(&street),
        });
        let call = Call::post("/api/orders", &body).guest(Some(&cart));
        let response = self.client.send(call.key(format!("{}-cart-{key}", self.seed)).wait_s(10)).await?;
        let response = response.success("a guest's order")?;
        self.count_acknowledged();
        let id = self.record_order(&response)?;
        self.expect_destination(&id, Destination::Street(street));
        if chance.u64(..3) == 0 {
            let lookup = json!({ "code": response.text("/code")?, "email": email });
            self.erase_guest(&id, &lookup).await?;
        }
        Ok(())
    }

    /// Repeats the request for an erasure until the shop accepts it, or until the order shows that its
    /// address is erased.
    async fn erase_guest(&self, order: &str, lookup: &Value) -> Result<()> {
        self.expect_destination(order, Destination::Unknown);
        for _ in 0..CHECKS_MAX {
            let call = Call::post("/api/orders/lookup/erase", lookup).guest(None).key("a-repeat-is-harmless");
            let response = self.client.send(call).await?;
            let is_done = response.status == 202
                || self.client.send(Call::get(&format!("/api/orders/{order}"))).await?.body["addressErased"]
                    == true;
            if is_done {
                self.count_acknowledged();
                self.expect_destination(order, Destination::Erased);
                return Ok(());
            }
            ensure!(response.status == 404, "erasing a guest: {} {}", response.status, response.body);
            tokio::time::sleep(CHECK_EVERY).await;
        }
        anyhow::bail!("order {order} is not found by its code")
    }

    /// Creates an account and places an order with it. Some customers erase their account afterwards.
    pub(super) async fn order_with_account(&self, chance: &mut Rng, key: &str) -> Result<()> {
        let street = format!("{key} {STREET}");
        let email = format!("customer-{key}@example.org");
        let body = json!({ "email": email, "password": PASSWORD, "name": "Somebody" });
        let call = Call::post("/api/auth/signup", &body).guest(None).key("a-repeat-finds-it-taken");
        let response = self.client.send(call).await?;
        if response.body["code"] == "email-taken" && response.status == 409 {
            // A kill may have interrupted an earlier try after the e-mail address was claimed and before the
            // account was created. Then nobody can sign in, and a sweep releases the e-mail address after a
            // minute.
            let login = json!({ "email": email, "password": PASSWORD });
            let call = Call::post("/api/auth/login", &login).guest(None).key("a-repeat-is-harmless");
            if self.client.send(call).await?.status == 401 {
                return Ok(());
            }
        } else {
            response.success("an account")?;
        }
        self.count_acknowledged();
        let token = self.sign_in(&email).await?;
        let line = json!({ "sku": sku(chance.u64(..super::load::SKUS)), "quantity": 1 });
        let body = json!({
            "lines": [line], "payment": { "token": "tok_ok" }, "shippingAddress": address(&street),
        });
        let call = Call::post("/api/orders", &body).bearer(&token);
        let response = self.client.send(call.key(format!("account-{key}")).wait_s(10)).await?;
        let response = response.success("a customer's order")?;
        self.count_acknowledged();
        let id = self.record_order(&response)?;
        self.expect_destination(&id, Destination::Street(street));
        if chance.u64(..3) == 0 {
            self.expect_destination(&id, Destination::Unknown);
            let body = json!({ "password": PASSWORD });
            let call = Call::delete("/api/users/me", &body).bearer(&token).key("a-repeat-is-harmless");
            let response = self.client.send(call).await?;
            // If an earlier try erased the account but its response was lost, the token is no longer valid.
            ensure!(
                matches!(response.status, 202 | 401 | 404) || response.body["code"] == "validation-failed",
                "erasing an account: {} {}",
                response.status,
                response.body
            );
            self.count_acknowledged();
            self.expect_destination(&id, Destination::Erased);
        }
        Ok(())
    }

    async fn sign_in(&self, email: &str) -> Result<String> {
        let login = json!({ "email": email, "password": PASSWORD });
        let call = Call::post("/api/auth/login", &login).guest(None).key("a-repeat-is-harmless");
        let response = self.client.send(call).await?.success("sign-in")?;
        Ok(response.text("/accessToken")?.to_owned())
    }
}

/// Checks that every order has its expected address, and that erased addresses are gone. Returns a text for
/// each order that is wrong.
pub(super) async fn audit(client: &ShopClient, load: &Load) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for _ in 0..CHECKS_MAX {
        findings.clear();
        let orders = client.list("/api/orders", client.head().await?).await?;
        for (id, expected) in load.destinations() {
            let order = orders.iter().find(|order| order["id"] == id.as_str());
            let order = order.with_context(|| format!("order {id} is not listed"))?;
            let street = order.pointer("/shippingAddress/line1").and_then(Value::as_str);
            let is_right = match &expected {
                Destination::Street(expected) => street == Some(expected),
                Destination::Erased => street.is_none() && order["addressErased"] == true,
                Destination::Unknown => true,
            };
            if !is_right {
                findings.push(format!("order {id} has the street {street:?}, expected {expected:?}"));
            }
        }
        if findings.is_empty() {
            break;
        }
        // Wait, because a sweep may still have to finish an erasure that a kill interrupted.
        tokio::time::sleep(CHECK_EVERY).await;
    }
    Ok(findings)
}

/// Checks that no file in the folder contains an unsealed address. Returns a text for each file that does.
pub(super) fn find_plain_addresses(folder: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            findings.extend(find_plain_addresses(&path)?);
        } else if memchr::memmem::find(&std::fs::read(&path)?, STREET.as_bytes()).is_some() {
            findings.push(format!("{} contains an unsealed address", path.display()));
        }
    }
    Ok(findings)
}
