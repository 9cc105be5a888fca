//! Rebuilds beside a running shop, parked entities, and read models for a position.

use serde_json::{Value, json};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, Append, Clock as _, CorrelationId, EventStore, Expected, StreamName};
use souk_sqlite_log::{Options, SqliteLog};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::process::{Shop, lines, souk};
use crate::{add_stock, order_request};

/// Runs a command that fails, and returns its error message.
fn error_of(folder: &std::path::Path, arguments: &[&str]) -> String {
    let output = souk(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Returns the states of a model's builds, in the order of the list.
fn states_of(model: &str, builds: &[Value]) -> Vec<String> {
    let of_model = builds.iter().filter(|build| build["name"] == model);
    of_model.map(|build| build["state"].as_str().unwrap().to_owned()).collect()
}

/// Places orders for one lamp each, and returns their ids.
async fn place_orders(shop: &Shop, orders: u32) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..orders {
        let (status, order) = shop.post("/api/orders", &order_request("LAMP", 1, "tok_ok")).await;
        assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")));
        ids.push(order["id"].as_str().unwrap().to_owned());
    }
    ids
}

/// Changes the database of the read models directly.
async fn tamper(folder: &std::path::Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(folder.join("read-models.sqlite"));
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
}

// Proves: platform.rebuild-beside-the-shop
#[tokio::test(flavor = "multi_thread")]
async fn read_models_are_rebuilt_compared_and_switched_beside_a_running_shop() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 1_000).await;
    let ids = place_orders(&shop, 30).await;
    let folder = shop.folder().to_owned();
    let rebuild = tokio::task::spawn_blocking(move || lines(&folder, &["replay", "--all", "--fast"]));
    let concurrent_ids = place_orders(&shop, 30).await;
    let (code, printed) = rebuild.await.unwrap();
    assert_eq!(code, Some(0), "{printed:?}");
    assert_eq!(printed[0]["different"], 0, "{printed:?}");
    assert!(printed[0]["rows"].as_u64().unwrap() > 50, "{printed:?}");
    assert!(printed.last().unwrap()["switchedAt"].is_string(), "{printed:?}");
    for id in ids.iter().chain(&concurrent_ids) {
        assert_eq!(shop.get(&format!("/api/orders/{id}")).await.1["status"], "CONFIRMED");
    }
    place_orders(&shop, 1).await;
    // The old tables are removed in the background.
    let models = shop.get("/api/admin/projections").await.1;
    assert!(models["items"].as_array().unwrap().iter().all(|model| model["state"] == "LIVE"), "{models}");
    let (code, printed) = lines(shop.folder(), &["replay", "--verify"]);
    assert_eq!((code, &printed[0]["different"]), (Some(0), &json!(0)), "{printed:?}");
}

// Proves: platform.rebuild-beside-the-shop
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_row_is_found_with_its_events_and_corrected_by_a_rebuild() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let id = place_orders(&shop, 1).await.remove(0);
    place_orders(&shop, 1).await;
    tamper(shop.folder(), &format!("UPDATE orders_v4_7 SET status = 'PENDING' WHERE key = '{id}'")).await;
    let (code, printed) = lines(shop.folder(), &["replay", "orders", "--diff"]);
    assert_eq!((code, &printed[0]["different"]), (Some(1), &json!(1)), "{printed:?}");
    let difference = &printed[0]["differences"][0];
    assert_eq!(difference["key"], id.as_str());
    let events = difference["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["type"] == "order.placed"), "{events:?}");
    let (code, _) = lines(shop.folder(), &["replay", "--verify"]);
    assert_eq!(code, Some(1));
    assert_eq!(states_of("orders", &lines(shop.folder(), &["replay"]).1), ["LIVE", "STOPPED"]);
    let (code, printed) = lines(shop.folder(), &["replay", "orders"]);
    assert_eq!(code, Some(0), "{printed:?}");
    assert_eq!(lines(shop.folder(), &["replay", "--verify"]).0, Some(0));
    let folder = shop.stop();
    assert_eq!(
        lines(folder.path(), &["replay", "--all"]).0,
        Some(0),
        "a rebuild also works without a running shop"
    );
    assert_eq!(lines(folder.path(), &["replay", "--verify"]).0, Some(0));
}

// Proves: platform.rebuild-continues
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_rebuild_continues_at_its_checkpoint() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 2_000).await;
    place_orders(&shop, 300).await;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_souk"))
        .args(["replay", "--all", "--data"])
        .arg(shop.folder())
        .env("SOUK_REBUILD_CPU_SHARE", "0.05")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = |models: &Value| {
        let mut models = models["items"].as_array().unwrap().iter();
        models.any(|model| model["state"] == "REBUILDING" && model["position"] != "0")
    };
    shop.wait_until("/api/admin/projections", begun).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let all = shop.get("/api/admin/projections").await.1["head"].as_str().unwrap().parse::<u64>().unwrap();
    let (code, printed) = lines(shop.folder(), &["replay", "--all", "--fast"]);
    assert_eq!(code, Some(0), "{printed:?}");
    let rebuilt = printed.iter().find(|line| line["events"].is_u64()).unwrap();
    assert!(rebuilt["events"].as_u64().unwrap() < all, "{printed:?}");
    assert_eq!(printed[0]["different"], 0);
}

// Proves: platform.rebuild-for-a-position
#[tokio::test(flavor = "multi_thread")]
async fn read_models_can_be_built_for_a_position_or_a_time() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let head = shop.get("/api/admin/projections").await.1["head"].as_str().unwrap().to_owned();
    place_orders(&shop, 3).await;
    let (code, printed) = lines(shop.folder(), &["replay", "stock", "--until", &head, "--key", "LAMP"]);
    assert_eq!((code, &printed[0]["onHand"]), (Some(0), &json!(10)), "{printed:?}");
    let now = souk::clock::SystemClock.now().to_string();
    let (code, printed) = lines(shop.folder(), &["replay", "stock", "--until", &now, "--key", "LAMP"]);
    assert_eq!((code, &printed[0]["onHand"]), (Some(0), &json!(7)), "{printed:?}");
    assert_eq!(souk(shop.folder(), &["replay", "stock", "--until", &head, "--drop"]).status.code(), Some(0));
    for (until, text) in [
        ("0", "its positions are 1 to"),
        ("99999", "its positions are 1 to"),
        ("2001-01-01T00:00:00Z", "the first event was recorded at"),
        ("soon", "neither a position"),
    ] {
        let error = error_of(shop.folder(), &["replay", "stock", "--until", until]);
        assert!(error.contains(text), "{error}");
    }
    for unnamed in [&["replay", "--until", "1"][..], &["replay", "--fast"], &["replay", "--restart"]] {
        let error = error_of(shop.folder(), unnamed);
        assert!(error.contains("name the read models"), "{error}");
    }
}

/// Appends an unreadable event to the stream of an order.
async fn append_unreadable(folder: &std::path::Path, order: &str) {
    append_event(folder, StreamName::new("order", order), "order.shipped", &json!({ "carrier": 5 })).await;
}

/// Appends any event to a log, without a command.
async fn append_event(folder: &std::path::Path, stream: StreamName, event_type: &'static str, data: &Value) {
    let log = SqliteLog::open(folder, &Options::default()).unwrap();
    let id = souk::clock::SystemClock.new_id();
    let origin = Origin::new(id, Actor::new("test", "x"), CorrelationId::from(id));
    let now = souk::clock::SystemClock.now();
    let event = origin.raw_envelope(&stream, 0, event_type, 1, data.to_string().into(), now);
    let append = Append { stream, expected: Expected::Any, events: vec![event] };
    log.append(append).await.unwrap();
}

// Proves: platform.parked-rows
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_event_parks_only_its_order() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let ids = place_orders(&shop, 2).await;
    let folder = shop.stop();
    append_unreadable(folder.path(), &ids[0]).await;
    let shop = Shop::open(folder, &[]).await;
    // Other orders go on.
    let (status, _) =
        shop.post(&format!("/api/orders/{}/ship", ids[1]), &json!({"carrier": "DHL", "tracking": "1"})).await;
    assert_eq!(status, 200);
    shop.wait_until(&format!("/api/orders/{}", ids[1]), |order| order["status"] == "SHIPPED").await;
    place_orders(&shop, 1).await;

    // The order can be read in its state before the event, with a header that says so.
    let response = shop.get_response(&format!("/api/orders/{}", ids[0]), None).await;
    let since = response.headers()["x-behind-since"].to_str().unwrap().to_owned();
    assert_eq!(response.json::<Value>().await.unwrap()["status"], "CONFIRMED");
    let response = shop.get_response(&format!("/api/orders/{}", ids[0]), Some(&since)).await;
    assert_eq!(response.status(), 503);
    assert_eq!(shop.get_response(&format!("/api/orders/{}", ids[1]), Some(&since)).await.status(), 200);
    assert_eq!(shop.get("/api/orders").await.1["behind"], 1);
    assert_eq!(shop.get("/api/orders/admin/sales").await.1["behind"], 1);
    let metrics = shop.get_response("/metrics", None).await.text().await.unwrap();
    assert!(metrics.contains("souk_read_models_parked{model=\"orders\"} 1"), "{metrics}");

    let parked = shop.get("/api/admin/parked").await.1;
    let item = parked["items"].as_array().unwrap().iter().find(|item| item["owner"] == "orders").unwrap();
    assert_eq!((item["kind"].as_str(), item["position"].as_str()), (Some("stream"), Some(since.as_str())));
    let entity = item["entity"].as_str().unwrap().to_owned();
    let listed = lines(shop.folder(), &["parked", "list"]).1;
    assert_eq!(listed.len(), parked["items"].as_array().unwrap().len());

    // A retry fails, a rebuild stops, and the event can be skipped with a reason.
    let error = error_of(shop.folder(), &["parked", "retry", "orders", &entity]);
    assert!(error.contains("still-parked") && error.contains(&since), "{error}");
    let error = error_of(shop.folder(), &["replay", "orders"]);
    let command = format!("souk parked skip orders {entity} --position {since} --reason");
    assert!(error.contains(&command), "{error}");
    let error = error_of(shop.folder(), &["parked", "skip", "orders", &entity, "--reason", " "]);
    assert!(error.contains("a reason is needed"), "{error}");
    let error = error_of(shop.folder(), &["parked", "skip", "orders", "nothing", "--reason", "x"]);
    assert!(error.contains("no parked entity"), "{error}");
    assert_eq!(souk(shop.folder(), &["parked", "skip", "orders", &entity]).status.code(), Some(2));
    for owner in parked["items"].as_array().unwrap().iter().map(|item| item["owner"].as_str().unwrap()) {
        let arguments = ["parked", "skip", owner, &entity, "--reason", "a carrier that is a number"];
        assert_eq!(lines(shop.folder(), &arguments).0, Some(0), "{owner}");
    }
    let response = shop.get_response(&format!("/api/orders/{}", ids[0]), Some(&since)).await;
    assert_eq!((response.status().as_u16(), response.headers().contains_key("x-behind-since")), (200, false));
    assert_eq!(shop.get("/api/admin/parked").await.1["items"], json!([]));
    let (code, printed) = lines(shop.folder(), &["replay", "orders"]);
    assert_eq!(
        (code, &printed[0]["different"]),
        (Some(0), &json!(0)),
        "a rebuild skips the same event: {printed:?}"
    );

    // The skip is still in effect after a restart.
    let shop = Shop::open(shop.stop(), &[]).await;
    assert_eq!(shop.get("/api/admin/parked").await.1["items"], json!([]));
    assert_eq!(lines(shop.folder(), &["replay", "--verify"]).0, Some(0));
}

/// Appends an unreadable event, and moves the checkpoints of the live read models past it.
async fn append_unreadable_before_checkpoints(folder: &std::path::Path, order: &str) {
    append_unreadable(folder, order).await;
    let head = SqliteLog::open(folder, &Options::default()).unwrap().head().await.unwrap();
    tamper(folder, &format!("UPDATE builds SET position = {head} WHERE state = 'live'")).await;
}

/// Returns the arguments of the last `souk parked skip` command in a message.
fn advised_command(message: &str) -> Vec<String> {
    let mut commands = message.split('`').filter(|part| part.starts_with("souk parked skip"));
    commands.next_back().unwrap().split(' ').skip(1).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_stops_only_a_rebuild_can_be_skipped_by_the_printed_command() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let ids = place_orders(&shop, 2).await;
    let folder = shop.stop();
    append_unreadable_before_checkpoints(folder.path(), &ids[0]).await;

    // The shop is stopped.
    let listed = lines(folder.path(), &["replay"]).1;
    assert!(listed.iter().all(|build| build["state"] == "STOPPED"), "{listed:?}");
    let error = error_of(folder.path(), &["replay", "orders"]);
    let states = states_of("orders", &lines(folder.path(), &["replay"]).1);
    assert_eq!(states, ["STOPPED", "STOPPED"], "a failed rebuild is stopped");
    let command = advised_command(&error);
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let place = arguments.iter().position(|word| *word == "--position").unwrap() + 1;
    let head = arguments[place].parse::<u64>().unwrap();
    for (owner, entity, position) in [
        ("orders", arguments[3].to_owned(), (head - 1).to_string()),
        ("orders", arguments[3].to_owned(), "999999".to_owned()),
        ("orders", format!("order-{}", ids[1]), head.to_string()),
        ("carts", arguments[3].to_owned(), head.to_string()),
        ("checkout", arguments[3].to_owned(), head.to_string()),
    ] {
        let wrong = ["parked", "skip", owner, &entity, "--position", &position, "--reason", "x"];
        let error = error_of(folder.path(), &wrong);
        assert!(error.contains("not-found"), "{wrong:?}: {error}");
    }
    let (code, printed) = lines(folder.path(), &arguments);
    assert_eq!((code, &printed[0]["events"]), (Some(0), &json!(0)), "{printed:?}");
    assert_eq!(lines(folder.path(), &arguments).0, Some(0), "a repeat succeeds");
    let (code, printed) = lines(folder.path(), &["replay", "orders"]);
    assert_eq!((code, &printed[0]["different"]), (Some(0), &json!(0)), "{printed:?}");

    // The shop is running. Another order has an unreadable event.
    append_unreadable_before_checkpoints(folder.path(), &ids[1]).await;
    let shop = Shop::open(folder, &[]).await;
    let error = error_of(shop.folder(), &["replay", "orders"]);
    let models = shop.get("/api/admin/projections").await.1;
    assert_eq!(states_of("orders", models["items"].as_array().unwrap()), ["LIVE", "STOPPED"]);
    assert_eq!(states_of("orders", &lines(shop.folder(), &["replay"]).1), ["LIVE", "STOPPED"]);
    let command = advised_command(&error);
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let (code, printed) = lines(shop.folder(), &arguments);
    assert_eq!((code, &printed[0]["events"]), (Some(0), &json!(0)), "{printed:?}");
    let skips = shop.get("/api/admin/streams/skips-orders").await.1;
    assert!(skips.to_string().contains("WHY"), "{skips}");
    let (code, printed) = lines(shop.folder(), &["replay", "orders"]);
    assert_eq!((code, &printed[0]["different"]), (Some(0), &json!(0)), "{printed:?}");
    assert_eq!(states_of("orders", &lines(shop.folder(), &["replay"]).1), ["LIVE"]);
    place_orders(&shop, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_events_do_not_overwrite_newer_rows_of_another_stream() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let lamp = shop.get("/api/products").await.1["items"][0]["id"].as_str().unwrap().to_owned();
    let folder = shop.stop();
    // The second event replaces the SKU `LAMP` by `CHAIR`. It waits until the first event can be read or is
    // skipped.
    let stream = StreamName::new("product", &lamp);
    append_event(folder.path(), stream.clone(), "product.changed", &json!({ "content": 5 })).await;
    let variant =
        json!({ "sku": "CHAIR", "options": {}, "price": { "amount": 1, "currency": "GBP" }, "images": [] });
    let content = json!({ "name": "Lamp", "description": "", "category": "", "attributes": [], "active": true,
        "variants": [variant] });
    let changed = json!({ "content": content, "removedSkus": ["LAMP"] });
    append_event(folder.path(), stream.clone(), "product.changed", &changed).await;
    let shop = Shop::open(folder, &[]).await;
    add_stock(&shop, "CHAIR", 3).await;

    let skip = |owner: &'static str| {
        let arguments = ["parked", "skip", owner, stream.as_str(), "--reason", "never a product"];
        souk(shop.folder(), &arguments)
    };
    let refused = skip("variants");
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("row `CHAIR` was written by product-"), "{error}");
    assert!(error.contains("souk replay variants"), "{error}");
    assert!(skip("products").status.success());
    assert_eq!(lines(shop.folder(), &["replay", "variants"]).0, Some(0));
    let parked = shop.get("/api/admin/parked").await.1["items"].as_array().unwrap().clone();
    assert!(parked.iter().all(|item| item["owner"] != "variants"), "{parked:?}");
}

// Proves: platform.new-version-first
#[tokio::test(flavor = "multi_thread")]
async fn read_models_of_a_new_version_are_built_before_the_shop_is_ready() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let id = place_orders(&shop, 1).await.remove(0);
    let folder = shop.stop();
    // Simulates the database of an earlier version.
    tamper(folder.path(), "UPDATE builds SET version = 0 WHERE model = 'orders'").await;
    tamper(folder.path(), "UPDATE process_checkpoints SET version = 0").await;
    let (code, printed) = lines(folder.path(), &["replay", "--ahead"]);
    assert_eq!(code, Some(0), "{printed:?}");
    let built = printed[0]["built"].as_array().unwrap();
    assert_eq!(built.len(), 4, "{built:?}");
    let shop = Shop::open(folder, &[]).await;
    assert_eq!(shop.get(&format!("/api/orders/{id}")).await.1["status"], "CONFIRMED");
    place_orders(&shop, 1).await;
    let models = shop.get("/api/admin/projections").await.1;
    let orders: Vec<_> =
        models["items"].as_array().unwrap().iter().filter(|model| model["name"] == "orders").collect();
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(orders[0]["version"], 4);
    assert_eq!(lines(shop.folder(), &["replay", "--ahead"]).1[0]["built"], json!([]));
}
