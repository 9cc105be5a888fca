//! Streams at an earlier position, causation trees, and backups.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Shop, souk};
use crate::{add_stock, order_request};

/// Adds the positions of all events of a causation tree. Fails if an event occurs twice.
fn add_positions(nodes: &Value, into: &mut BTreeSet<u64>) {
    for node in nodes.as_array().unwrap() {
        assert!(into.insert(node["event"]["position"].as_str().unwrap().parse().unwrap()), "{node}");
        add_positions(&node["children"], into);
    }
}

// Proves: platform.causation-tree
#[tokio::test(flavor = "multi_thread")]
async fn all_events_of_a_checkout_form_one_causation_tree() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let before: u64 = shop.head().await;
    let (status, order) = shop.post("/api/orders", &order_request("LAMP", 3, "tok_ok")).await;
    assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")));
    let id = order["id"].as_str().unwrap();
    let placed = shop.get(&format!("/api/admin/streams/order-{id}")).await.1["items"][0].clone();
    let correlation = placed["correlationId"].as_str().unwrap().to_owned();
    // The last events of the checkout are written after the response.
    let path = format!("/api/admin/correlations/{correlation}");
    let ended = |tree: &Value| tree.to_string().contains("order.confirmed");
    shop.wait_until(&path, ended).await;
    let last = shop.head().await;
    let tree = shop.get(&path).await.1;
    let mut found = BTreeSet::new();
    add_positions(&tree["items"], &mut found);
    assert_eq!(tree["items"].as_array().unwrap().len(), 1, "the request itself wrote one event");
    assert_eq!(tree["items"][0]["event"]["type"], "order.placed");
    assert_eq!(found, (before + 1..=last).collect(), "all later events are in its tree");
    let text = tree.to_string();
    for text_in_tree in
        ["stock.reserved", "payment.captured", "checkout.transitioned", "\"timer\"", "\"effect\""]
    {
        assert!(text.contains(text_in_tree), "{text_in_tree} is not in {text}");
    }
    for event in &found {
        let node = find(&tree["items"], *event).unwrap();
        for name in ["actor", "correlationId", "commandId", "recordedAt"] {
            assert!(node[name].as_str().is_some_and(|value| !value.is_empty()), "{name} of {node}");
        }
    }
    let printed = souk(shop.folder(), &["events", "correlation", &correlation]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed.lines().filter(|line| line.contains("─ ")).count(), found.len(), "{printed}");
    assert!(printed.contains("command reserve"), "{printed}");
    let unknown = souk(shop.folder(), &["events", "correlation", "nothing"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(shop.get("/api/admin/correlations/nothing").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_events_of_a_cart_checkout_form_one_causation_tree() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    assert_eq!(shop.post("/api/cart/items", &json!({ "sku": "LAMP", "quantity": 2 })).await.0, 200);
    let request = json!({ "cart": true, "payment": { "token": "tok_ok" } });
    let (status, order) = shop.post("/api/orders", &request).await;
    assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")), "{order}");
    let stream = format!("/api/admin/streams/order-{}", order["id"].as_str().unwrap());
    let placed = shop.get(&stream).await.1["items"][0].clone();
    let path = format!("/api/admin/correlations/{}", placed["correlationId"].as_str().unwrap());
    shop.wait_until(&path, |tree| tree.to_string().contains("order.confirmed")).await;
    let tree = shop.get(&path).await.1;
    let roots: Vec<&Value> =
        tree["items"].as_array().unwrap().iter().map(|root| &root["event"]["type"]).collect();
    assert_eq!(roots, ["cart.checked-out"]);
}

fn find(nodes: &Value, position: u64) -> Option<Value> {
    nodes.as_array()?.iter().find_map(|node| {
        let is_it = node["event"]["position"].as_str() == Some(position.to_string().as_str());
        if is_it { Some(node["event"].clone()) } else { find(&node["children"], position) }
    })
}

// Proves: platform.time-travel
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_and_its_state_are_shown_for_a_position_or_a_time() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let then = shop.head().await;
    assert_eq!(shop.post("/api/inventory/stock", &json!({ "sku": "LAMP", "onHand": 4 })).await.0, 200);
    let path = "/api/admin/streams/stock-LAMP";
    let now = shop.get(path).await.1;
    assert_eq!((&now["state"]["onHand"], &now["revision"]), (&json!(4), &json!(1)));
    let early = shop.get(&format!("{path}?until={then}")).await.1;
    assert_eq!((&early["state"]["onHand"], &early["revision"]), (&json!(10), &json!(0)));
    assert_eq!(early["items"].as_array().unwrap().len(), 1);
    let at = now["items"][0]["recordedAt"].as_str().unwrap();
    assert_eq!(shop.get(&format!("{path}?until={at}")).await.1["state"]["onHand"], 10);
    assert_eq!(shop.get(&format!("{path}?until=2001-01-01T00:00:00Z")).await.0, 404);
    for wrong in ["0", "99999", "soon"] {
        let (status, problem) = shop.get(&format!("{path}?until={wrong}")).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid-parameter")), "{problem}");
    }
    let until = then.to_string();
    let output = souk(shop.folder(), &["events", "stream", "stock-LAMP", "--until", &until, "--json"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert_eq!(last["state"]["onHand"], 10);
}

/// Runs a command that must succeed. Returns its output.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = souk(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

// Proves: platform.backup
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_can_be_restored_and_its_stock_balances() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 1_000).await;
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("backup");
    let backup = ["log", "backup", copy.to_str().unwrap(), "--json"];
    let order = order_request("LAMP", 1, "tok_ok");
    let mut last = Value::Null;
    for _ in 0..4 {
        let sold = futures_util::future::join_all((0..25).map(|_| shop.post("/api/orders", &order)));
        let folder = shop.folder().to_owned();
        let copy = copy.to_str().unwrap().to_owned();
        let backed_up = tokio::task::spawn_blocking(move || run(&folder, &["log", "backup", &copy]));
        let (sold, backed_up) = tokio::join!(sold, backed_up);
        backed_up.unwrap();
        assert!(sold.iter().all(|(status, _)| *status == 201));
        last = serde_json::from_str(&run(shop.folder(), &backup)).unwrap();
    }
    let error = souk(shop.folder(), &["log", "restore", copy.to_str().unwrap()]);
    assert_eq!(error.status.code(), Some(1), "a restore never overwrites a log");
    run(shop.folder(), &["log", "verify", "--backup", copy.to_str().unwrap()]);
    let stopped = shop.stop();

    // The restore drill of the runbook: restore on another machine, verify, rebuild the read models, and
    // sell.
    let other = tempfile::tempdir().unwrap();
    run(other.path(), &["log", "restore", copy.to_str().unwrap()]);
    run(other.path(), &["log", "verify"]);
    // The keys have separate backups.
    let keys = other.path().join("person-keys.sqlite");
    run(stopped.path(), &["keys", "backup", keys.to_str().unwrap()]);
    std::fs::create_dir_all(other.path().join("keys")).unwrap();
    for name in ["master", "secret"] {
        let key_path = |folder: &std::path::Path| folder.join("keys").join(name);
        std::fs::copy(key_path(stopped.path()), key_path(other.path())).unwrap();
    }
    let shop = Shop::open(other, &[]).await;
    assert_eq!(shop.head().await.to_string(), last["position"].as_str().unwrap());
    let stock = shop.get("/api/inventory/stock/LAMP").await.1;
    let sales = shop.get("/api/orders/admin/sales").await.1;
    let sold = sales["total"]["units"].as_i64().unwrap();
    assert_eq!((stock["onHand"].as_i64().unwrap() + sold, &stock["reserved"]), (1_000, &json!(0)));
    assert_eq!(sales["total"]["revenue"]["amount"].as_i64().unwrap(), sold * 250);
    assert_eq!(shop.post("/api/orders", &order).await.0, 201);
    assert!(souk(shop.folder(), &["replay", "--verify"]).status.success());

    // A backup is not a data folder, and a data folder is not a backup.
    for (folder, arguments) in [
        (copy.as_path(), &["serve", "--listen", "127.0.0.1:0"][..]),
        (copy.as_path(), &["replay"][..]),
        (&scratch.path().join("new"), &["log", "restore", stopped.path().to_str().unwrap()][..]),
    ] {
        let output = souk(folder, arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("backup"), "{error}");
    }
}
