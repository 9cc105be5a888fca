//! Golden data folders. Each one was written by the program of an earlier commit, with
//! `tests/golden/record.py`.
//!
//! The current program opens every golden folder, gives the same responses as the old program, and goes on
//! with its open orders. A golden folder never changes. If a test here fails, the program is wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use souk_eventsourcing::Clock as _;
use tar::Archive;
use tempfile::TempDir;

use crate::order_request;
use crate::process::{Shop, lines, souk};

/// Total of the refunds in the log, in minor units: 7.50 for the order `returned`, 2.50 for `partly-returned`
/// and 0.50 for `partly-refunded`. The old program counted this amount as revenue.
const REFUNDED: i64 = 1_050;

/// An unpacked golden folder.
struct Golden {
    data: TempDir,
    /// A backup of the log in `data`.
    backup: TempDir,
    /// Responses of the program that wrote the folder.
    expected: Value,
}

impl Golden {
    /// Returns the archives of all golden folders, oldest first.
    fn archives() -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut archives: Vec<PathBuf> =
            files.filter(|file| file.extension() == Some("gz".as_ref())).collect();
        archives.sort();
        assert!(!archives.is_empty(), "there is no golden folder");
        archives
    }

    fn unpack(archive: &Path) -> Self {
        // Printed only if the test fails.
        eprintln!("{}", archive.display());
        let data = tempfile::tempdir().unwrap();
        let backup = tempfile::tempdir().unwrap();
        let mut expected = Value::Null;
        let mut archive = Archive::new(GzDecoder::new(File::open(archive).unwrap()));
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            if let Ok(inside) = path.strip_prefix("data") {
                entry.unpack(data.path().join(inside)).unwrap();
            } else if let Ok(inside) = path.strip_prefix("backup") {
                entry.unpack(backup.path().join(inside)).unwrap();
            } else {
                assert_eq!(path, Path::new("expected.json"));
                expected = serde_json::from_reader(&mut entry).unwrap();
            }
        }
        Self { data, backup, expected }
    }

    /// Replaces the log by the one of the backup.
    fn restore(&self) {
        for suffix in ["", "-wal", "-shm"] {
            // The companion files may be missing.
            let _ = fs::remove_file(self.data.path().join(format!("log.sqlite{suffix}")));
        }
        let backup = self.backup.path().to_str().unwrap();
        assert!(souk(self.data.path(), &["log", "verify", "--backup", backup]).status.success());
        assert!(souk(self.data.path(), &["log", "restore", backup]).status.success());
    }

    /// Checks that every event of the old program is in the log and undamaged.
    fn check_log(&self) {
        let (code, verified) = lines(self.data.path(), &["log", "verify"]);
        assert_eq!((code, &verified[0]["problems"]), (Some(0), &json!([])));
        let stats = lines(self.data.path(), &["log", "stats"]).1;
        let expected = &self.expected["log"];
        assert_eq!(verified[0]["events"], expected["events"]);
        assert_eq!(verified[0]["streams"], expected["streams"]);
        assert_eq!(stats[0]["head"], expected["head"]);
    }

    /// Opens the folder with the current program.
    async fn open(self) -> Opened {
        let Self { data, expected, .. } = self;
        let secret = expected["webhookSecret"].as_str().unwrap();
        let shop = Shop::open(data, &[("SOUK_WEBHOOK_SECRET", secret)]).await;
        Opened { shop, expected }
    }
}

/// The current program on a golden folder.
struct Opened {
    shop: Shop,
    expected: Value,
}

impl Opened {
    /// Returns the id of an order, by its name in the recording.
    fn order(&self, name: &str) -> &str {
        self.expected["orders"][name]["id"].as_str().unwrap()
    }

    async fn wait_for_status(&self, order: &str, status: &str) {
        self.shop.wait_until(&format!("/api/orders/{order}"), |order| order["status"] == status).await;
    }

    /// Waits until the order whose payment timeout has passed is timed out.
    async fn wait_for_timeout(&self) {
        self.wait_for_status(self.expected["overdue"].as_str().unwrap(), "TIMED_OUT").await;
    }

    /// Reads a whole list. Returns the compared fields of its items, by their key.
    async fn list(&self, path: &str, facts: fn(&Value) -> Value, key: &str) -> BTreeMap<String, Value> {
        let page = self.shop.get(&format!("{path}?limit=100")).await.1;
        assert_eq!(page["nextCursor"], Value::Null, "{path} has more than a page");
        by_key(page["items"].as_array().unwrap().iter().map(facts), key)
    }

    /// Checks that orders, stock, products and sales are the same as in the old program.
    async fn check_facts(&self) {
        let expected = &self.expected;
        self.wait_for_timeout().await;
        let mut orders = self.list("/api/orders", facts_of_order, "id").await;
        assert!(orders.remove(expected["overdue"].as_str().unwrap()).is_some());
        for (name, facts) in expected["orders"].as_object().unwrap() {
            assert_eq!(orders.remove(self.order(name)).as_ref(), Some(facts), "order {name}");
        }
        assert_eq!(orders, BTreeMap::new(), "the old program had fewer orders");
        for (path, facts, list, key) in [
            ("/api/inventory/stock", facts_of_stock as fn(&Value) -> Value, "stock", "sku"),
            ("/api/products", facts_of_product, "products", "id"),
        ] {
            let expected = by_key(expected[list].as_array().unwrap().iter().cloned(), key);
            assert_eq!(self.list(path, facts, key).await, expected);
        }
        let withdrawn = format!("/api/products/{}", expected["withdrawn"].as_str().unwrap());
        assert_eq!(self.shop.get(&withdrawn).await.0, 404);
        let mut sales = expected["sales"].clone();
        let revenue = sales["revenue"]["amount"].as_i64().unwrap();
        sales["revenue"]["amount"] = json!(revenue - REFUNDED);
        assert_eq!(self.shop.get("/api/orders/admin/sales").await.1["total"], sales);
    }

    /// Checks that every read model agrees with the log.
    fn check_models(&self) {
        let (code, printed) = lines(self.shop.folder(), &["replay", "--verify"]);
        assert_eq!((code, &printed[0]["different"]), (Some(0), &json!(0)), "{printed:?}");
    }

    /// Reads a resource with one extra header.
    async fn read(&self, path: &str, header: (&str, &str)) -> Value {
        let (status, response) = self.shop.send("GET", path, &Value::Null, &[header]).await;
        assert_eq!(status, 200, "{path}: {response}");
        response
    }

    /// Signs a recorded person in. Returns the status and the `Authorization` header.
    async fn sign_in(&self, person: &Value) -> (u16, String) {
        let body = json!({"email": person["email"], "password": self.expected["people"]["password"]});
        let (status, response) = self.shop.send("POST", "/api/auth/login", &body, &[]).await;
        (status, format!("Bearer {}", response["accessToken"].as_str().unwrap_or_default()))
    }

    /// Checks that people can still sign in with their passwords.
    async fn check_accounts(&self) {
        let people = &self.expected["people"];
        let (status, admin) = self.sign_in(&people["admin"]).await;
        assert_eq!(status, 200);
        self.read("/api/payments", ("authorization", &admin)).await;
        let customer = &people["customer"];
        let (status, bearer) = self.sign_in(customer).await;
        assert_eq!(status, 200);
        let header = ("authorization", bearer.as_str());
        let me = self.read("/api/users/me", header).await;
        assert_eq!(
            [&me["id"], &me["email"], &me["name"]],
            [&customer["id"], &customer["email"], &customer["name"]]
        );
        let addresses = self.read("/api/users/me/addresses", header).await;
        let addresses = addresses["items"].as_array().unwrap().iter();
        let addresses: Value = addresses.map(|entry| entry["line1"].clone()).collect();
        assert_eq!(addresses, customer["addresses"]);
        assert_eq!(facts_of_cart(&self.read("/api/cart", header).await), customer["cart"]);
    }

    /// Checks that a guest still finds the cart and the order.
    async fn check_guests(&self) {
        let guest = &self.expected["people"]["guest"];
        let cart = self.read("/api/cart", ("x-cart-token", guest["cartToken"].as_str().unwrap())).await;
        assert_eq!(facts_of_cart(&cart), guest["cart"]);
        let order = &self.expected["orders"]["of-guest-gus"];
        let lookup = json!({"code": order["code"], "email": guest["email"]});
        let (status, found) = self.shop.send("POST", "/api/orders/lookup", &lookup, &[]).await;
        assert_eq!((status, &facts_of_order(&found)), (200, order));
    }

    /// Checks that erased people stay erased, and that their e-mail addresses can be used again.
    async fn check_erased(&self) {
        let people = &self.expected["people"];
        let erased = &people["erased"];
        assert_eq!(self.sign_in(erased).await.0, 401);
        let orders = self.shop.get("/api/orders?addressErased=true").await.1;
        let orders = by_key(orders["items"].as_array().unwrap().iter().cloned(), "id");
        for name in ["of-erased-customer", "of-guest-eve"] {
            assert_eq!(orders[self.order(name)]["shippingAddress"], Value::Null, "order {name}");
        }
        let again = json!({"email": erased["email"], "password": people["password"], "name": "Zoe"});
        let (status, signed_up) = self.shop.send("POST", "/api/auth/signup", &again, &[]).await;
        assert_eq!(status, 201, "{signed_up}");
        assert_ne!(signed_up["id"], erased["id"]);
    }

    async fn pay(&self, order: &str) {
        let intent = json!({"orderId": order, "token": "tok_ok"});
        let (status, response) = self.shop.post("/api/payments/intents", &intent).await;
        assert_eq!(status, 201, "{response}");
        self.wait_for_status(order, "CONFIRMED").await;
    }

    /// Sends the webhook of the provider that authorizes the payment of an order.
    async fn send_authorization(&self, order: &str) {
        let order = self.shop.get(&format!("/api/orders/{order}")).await.1;
        let path = format!("/api/payments/{}", order["payment"]["id"].as_str().unwrap());
        let payment = self.shop.get(&path).await.1;
        let body = json!({
            "id": "evt_of_today", "type": "payment.authorized", "createdAt": souk::clock::SystemClock.now(),
            "providerPaymentId": payment["providerPaymentId"],
        });
        let secret = self.expected["webhookSecret"].as_str().unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.to_string().as_bytes());
        let mut signature = String::new();
        for byte in mac.finalize().into_bytes() {
            write!(signature, "{byte:02x}").unwrap();
        }
        let header = ("x-razorpay-signature", signature.as_str());
        assert_eq!(self.shop.send("POST", "/api/payments/webhook", &body, &[header]).await.0, 200);
    }

    async fn cancel(&self, order: &str) {
        let body = json!({"reason": "no longer sold"});
        let (status, response) = self.shop.post(&format!("/api/orders/{order}/cancel"), &body).await;
        assert_eq!(status, 200, "{response}");
        self.wait_for_status(order, "CANCELLED").await;
    }
}

/// Returns the fields of an order that never change. The recording script uses the same fields.
fn facts_of_order(order: &Value) -> Value {
    let lines = order["lines"].as_array().unwrap().iter();
    let lines: Value =
        lines.map(|line| json!([line["sku"], line["quantity"], line["reservation"]])).collect();
    json!({
        "id": order["id"], "code": order["code"], "status": order["status"], "total": order["total"],
        "lines": lines, "paymentStatus": order["payment"]["status"], "customerId": order["customerId"],
        "reason": order["reason"]["code"], "shipsTo": order["shippingAddress"]["line1"],
        "addressErased": order["addressErased"],
    })
}

fn facts_of_stock(stock: &Value) -> Value {
    json!({"sku": stock["sku"], "onHand": stock["onHand"], "reserved": stock["reserved"],
        "available": stock["available"]})
}

fn facts_of_product(product: &Value) -> Value {
    let variants = product["variants"].as_array().unwrap().iter();
    let variants: Value =
        variants.map(|variant| json!([variant["sku"], variant["price"]["amount"]])).collect();
    json!({"id": product["id"], "name": product["name"], "active": product["active"], "variants": variants})
}

fn facts_of_cart(cart: &Value) -> Value {
    let lines = cart["lines"].as_array().unwrap().iter();
    lines.map(|line| json!([line["sku"], line["quantity"], line["unitPrice"]["amount"]])).collect()
}

fn by_key(items: impl Iterator<Item = Value>, key: &str) -> BTreeMap<String, Value> {
    items.map(|item| (item[key].as_str().unwrap().to_owned(), item)).collect()
}

// Proves: platform.old-data-opens
#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_of_an_earlier_commit_opens() {
    for archive in Golden::archives() {
        let golden = Golden::unpack(&archive);
        golden.check_log();
        let opened = golden.open().await;
        opened.check_facts().await;
        opened.check_models();
        opened.check_accounts().await;
        opened.check_guests().await;
        opened.check_erased().await;
    }
}

// Proves: platform.old-data-opens
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_an_earlier_commit_can_be_restored() {
    for archive in Golden::archives() {
        let golden = Golden::unpack(&archive);
        golden.restore();
        golden.check_log();
        let opened = golden.open().await;
        opened.check_facts().await;
        opened.check_models();
        opened.check_guests().await;
        opened.check_erased().await;
    }
}

// Proves: platform.old-data-opens
#[tokio::test(flavor = "multi_thread")]
async fn open_orders_of_an_earlier_commit_go_on() {
    for archive in Golden::archives() {
        let opened = Golden::unpack(&archive).open().await;
        for name in ["waits-to-be-paid", "customer-waits-to-pay", "guest-waits-to-pay"] {
            opened.pay(opened.order(name)).await;
        }
        let order = opened.order("waits-for-webhook");
        opened.send_authorization(order).await;
        opened.wait_for_status(order, "CONFIRMED").await;
        for name in ["waits-to-be-cancelled", "provider-is-silent", "confirmed"] {
            opened.cancel(opened.order(name)).await;
        }
        let (status, placed) = opened.shop.post("/api/orders", &order_request("LAMP", 1, "tok_ok")).await;
        assert_eq!((status, &placed["status"]), (201, &json!("CONFIRMED")), "{placed}");
        opened.wait_for_timeout().await;
        let open = opened.shop.get("/api/orders?status=PAYMENT_PENDING").await.1;
        let open = by_key(open["items"].as_array().unwrap().iter().cloned(), "id");
        assert_eq!(open.keys().collect::<Vec<_>>(), [opened.order("waits-for-ever")]);
        opened.check_models();
        let folder = opened.shop.stop();
        assert!(souk(folder.path(), &["log", "verify"]).status.success());
    }
}
