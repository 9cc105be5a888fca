//! Rebuilding beside a shop that sells, parked entities, and models as of a position.

use serde_json::{Value, json};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, Append, Clock as _, CorrelationId, EventStore, Expected, StreamName};
use souk_sqlite_log::{Options, SqliteLog};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::process::{Shop, lines, souk};
use crate::{order_of, stocked};

/// What a command printed, as JSON lines, and its exit status.
fn error_of(folder: &std::path::Path, arguments: &[&str]) -> String {
    let output = souk(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The states of a model's builds, as a list of them has them: the live one first.
fn states_of(model: &str, builds: &[Value]) -> Vec<String> {
    let of_model = builds.iter().filter(|build| build["name"] == model);
    of_model.map(|build| build["state"].as_str().unwrap().to_owned()).collect()
}

async fn sold(shop: &Shop, orders: u32) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..orders {
        let (status, order) = shop.post("/api/orders", &order_of("LAMP", 1, "tok_ok")).await;
        assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")));
        ids.push(order["id"].as_str().unwrap().to_owned());
    }
    ids
}

/// Changes what the read models hold behind everybody's back.
async fn tamper(folder: &std::path::Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(folder.join("read-models.sqlite"));
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_rebuilt_beside_a_shop_that_sells_compared_and_switched() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 1_000).await;
    let ids = sold(&shop, 30).await;
    let folder = shop.folder().to_owned();
    let rebuild = tokio::task::spawn_blocking(move || lines(&folder, &["replay", "--all", "--fast"]));
    let meanwhile = sold(&shop, 30).await;
    let (code, told) = rebuild.await.unwrap();
    assert_eq!(code, Some(0), "{told:?}");
    assert_eq!(told[0]["different"], 0, "{told:?}");
    assert!(told[0]["rows"].as_u64().unwrap() > 50, "{told:?}");
    assert!(told.last().unwrap()["switchedAt"].is_string(), "{told:?}");
    for id in ids.iter().chain(&meanwhile) {
        assert_eq!(shop.get(&format!("/api/orders/{id}")).await.1["status"], "CONFIRMED");
    }
    sold(&shop, 1).await;
    // The old tables go by themselves.
    let models = shop.get("/api/admin/projections").await.1;
    assert!(models["items"].as_array().unwrap().iter().all(|model| model["state"] == "LIVE"), "{models}");
    let (code, told) = lines(shop.folder(), &["replay", "--verify"]);
    assert_eq!((code, &told[0]["different"]), (Some(0), &json!(0)), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_wrong_is_found_with_its_events_and_mended_by_a_rebuild() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let id = sold(&shop, 1).await.remove(0);
    sold(&shop, 1).await;
    tamper(shop.folder(), &format!("UPDATE orders_v4_7 SET status = 'PENDING' WHERE key = '{id}'")).await;
    let (code, told) = lines(shop.folder(), &["replay", "orders", "--diff"]);
    assert_eq!((code, &told[0]["different"]), (Some(1), &json!(1)), "{told:?}");
    let difference = &told[0]["differences"][0];
    assert_eq!(difference["key"], id.as_str());
    let events = difference["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["type"] == "order.placed"), "{events:?}");
    let (code, _) = lines(shop.folder(), &["replay", "--verify"]);
    assert_eq!(code, Some(1));
    assert_eq!(states_of("orders", &lines(shop.folder(), &["replay"]).1), ["LIVE", "STOPPED"]);
    let (code, told) = lines(shop.folder(), &["replay", "orders"]);
    assert_eq!(code, Some(0), "{told:?}");
    assert_eq!(lines(shop.folder(), &["replay", "--verify"]).0, Some(0));
    let folder = shop.stop();
    assert_eq!(lines(folder.path(), &["replay", "--all"]).0, Some(0), "without a server too");
    assert_eq!(lines(folder.path(), &["replay", "--verify"]).0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_killed_goes_on_where_it_was() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 2_000).await;
    sold(&shop, 300).await;
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
    shop.until("/api/admin/projections", begun).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let all = shop.get("/api/admin/projections").await.1["head"].as_str().unwrap().parse::<u64>().unwrap();
    let (code, told) = lines(shop.folder(), &["replay", "--all", "--fast"]);
    assert_eq!(code, Some(0), "{told:?}");
    let rebuilt = told.iter().find(|line| line["events"].is_u64()).unwrap();
    assert!(rebuilt["events"].as_u64().unwrap() < all, "{told:?}");
    assert_eq!(told[0]["different"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_built_as_of_a_position_or_a_time() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let head = shop.get("/api/admin/projections").await.1["head"].as_str().unwrap().to_owned();
    sold(&shop, 3).await;
    let (code, told) = lines(shop.folder(), &["replay", "stock", "--until", &head, "--key", "LAMP"]);
    assert_eq!((code, &told[0]["onHand"]), (Some(0), &json!(10)), "{told:?}");
    let now = souk::clock::SystemClock.now().to_string();
    let (code, told) = lines(shop.folder(), &["replay", "stock", "--until", &now, "--key", "LAMP"]);
    assert_eq!((code, &told[0]["onHand"]), (Some(0), &json!(7)), "{told:?}");
    assert_eq!(souk(shop.folder(), &["replay", "stock", "--until", &head, "--drop"]).status.code(), Some(0));
    for (until, word) in [
        ("0", "goes from 1 to"),
        ("99999", "goes from 1 to"),
        ("2001-01-01T00:00:00Z", "the first event is of"),
        ("soon", "neither a position"),
    ] {
        let error = error_of(shop.folder(), &["replay", "stock", "--until", until]);
        assert!(error.contains(word), "{error}");
    }
    for unnamed in [&["replay", "--until", "1"][..], &["replay", "--fast"], &["replay", "--restart"]] {
        let error = error_of(shop.folder(), unnamed);
        assert!(error.contains("name the read models"), "{error}");
    }
}

/// An event that no program can read, on an order that ships.
async fn poisoned(folder: &std::path::Path, order: &str) {
    appended(folder, StreamName::new("order", order), "order.shipped", &json!({ "carrier": 5 })).await;
}

/// Puts an event into a log that no command would.
async fn appended(folder: &std::path::Path, stream: StreamName, event_type: &'static str, data: &Value) {
    let log = SqliteLog::open(folder, &Options::default()).unwrap();
    let id = souk::clock::SystemClock.new_id();
    let origin = Origin::new(id, Actor::new("test", "x"), CorrelationId::from(id));
    let now = souk::clock::SystemClock.now();
    let event = origin.raw_envelope(&stream, 0, event_type, 1, data.to_string().into(), now);
    let append = Append { stream, expected: Expected::Any, events: vec![event] };
    log.append(append).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_parks_its_order_and_nothing_else() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let ids = sold(&shop, 2).await;
    let folder = shop.stop();
    poisoned(folder.path(), &ids[0]).await;
    let shop = Shop::open(folder, &[]).await;
    // The others go on.
    let (status, _) =
        shop.post(&format!("/api/orders/{}/ship", ids[1]), &json!({"carrier": "DHL", "tracking": "1"})).await;
    assert_eq!(status, 200);
    shop.until(&format!("/api/orders/{}", ids[1]), |order| order["status"] == "SHIPPED").await;
    sold(&shop, 1).await;

    // The order can be read, as of the event before, and says so.
    let answer = shop.ask(&format!("/api/orders/{}", ids[0]), None).await;
    let since = answer.headers()["x-behind-since"].to_str().unwrap().to_owned();
    assert_eq!(answer.json::<Value>().await.unwrap()["status"], "CONFIRMED");
    let answer = shop.ask(&format!("/api/orders/{}", ids[0]), Some(&since)).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(shop.ask(&format!("/api/orders/{}", ids[1]), Some(&since)).await.status(), 200);
    assert_eq!(shop.get("/api/orders").await.1["behind"], 1);
    assert_eq!(shop.get("/api/orders/admin/sales").await.1["behind"], 1);
    let metrics = shop.ask("/metrics", None).await.text().await.unwrap();
    assert!(metrics.contains("souk_read_models_parked{model=\"orders\"} 1"), "{metrics}");

    let parked = shop.get("/api/admin/parked").await.1;
    let item = parked["items"].as_array().unwrap().iter().find(|item| item["owner"] == "orders").unwrap();
    assert_eq!((item["kind"].as_str(), item["position"].as_str()), (Some("stream"), Some(since.as_str())));
    let entity = item["entity"].as_str().unwrap().to_owned();
    let listed = lines(shop.folder(), &["parked", "list"]).1;
    assert_eq!(listed.len(), parked["items"].as_array().unwrap().len());

    // It is tried again in vain, stops a rebuild, and is skipped with a reason.
    let error = error_of(shop.folder(), &["parked", "retry", "orders", &entity]);
    assert!(error.contains("still-parked") && error.contains(&since), "{error}");
    let error = error_of(shop.folder(), &["replay", "orders"]);
    let command = format!("souk parked skip orders {entity} --position {since} --reason");
    assert!(error.contains(&command), "{error}");
    let error = error_of(shop.folder(), &["parked", "skip", "orders", &entity, "--reason", " "]);
    assert!(error.contains("say why"), "{error}");
    let error = error_of(shop.folder(), &["parked", "skip", "orders", "nothing", "--reason", "x"]);
    assert!(error.contains("nothing parked"), "{error}");
    assert_eq!(souk(shop.folder(), &["parked", "skip", "orders", &entity]).status.code(), Some(2));
    for owner in parked["items"].as_array().unwrap().iter().map(|item| item["owner"].as_str().unwrap()) {
        let arguments = ["parked", "skip", owner, &entity, "--reason", "a carrier that is a number"];
        assert_eq!(lines(shop.folder(), &arguments).0, Some(0), "{owner}");
    }
    let answer = shop.ask(&format!("/api/orders/{}", ids[0]), Some(&since)).await;
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("x-behind-since")), (200, false));
    assert_eq!(shop.get("/api/admin/parked").await.1["items"], json!([]));
    let (code, told) = lines(shop.folder(), &["replay", "orders"]);
    assert_eq!((code, &told[0]["different"]), (Some(0), &json!(0)), "a rebuild skips the same: {told:?}");

    // What was skipped and what is parked outlives a restart.
    let shop = Shop::open(shop.stop(), &[]).await;
    assert_eq!(shop.get("/api/admin/parked").await.1["items"], json!([]));
    assert_eq!(lines(shop.folder(), &["replay", "--verify"]).0, Some(0));
}

/// An event that no program can read, in a log whose live read models take it for read.
async fn poisoned_behind_the_models(folder: &std::path::Path, order: &str) {
    poisoned(folder, order).await;
    let head = SqliteLog::open(folder, &Options::default()).unwrap().head().await.unwrap();
    tamper(folder, &format!("UPDATE builds SET position = {head} WHERE state = 'live'")).await;
}

/// The command between the last backticks of a message that begins with these words, as a shell reads it.
fn advised(message: &str) -> Vec<String> {
    let mut commands = message.split('`').filter(|part| part.starts_with("souk parked skip"));
    commands.next_back().unwrap().split(' ').skip(1).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_stops_a_rebuild_alone_is_skipped_as_the_message_says() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let ids = sold(&shop, 2).await;
    let folder = shop.stop();
    poisoned_behind_the_models(folder.path(), &ids[0]).await;

    // With the shop stopped.
    let listed = lines(folder.path(), &["replay"]).1;
    assert!(listed.iter().all(|build| build["state"] == "STOPPED"), "{listed:?}");
    let error = error_of(folder.path(), &["replay", "orders"]);
    let states = states_of("orders", &lines(folder.path(), &["replay"]).1);
    assert_eq!(states, ["STOPPED", "STOPPED"], "a rebuild that failed does not go on");
    let command = advised(&error);
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
    let (code, told) = lines(folder.path(), &arguments);
    assert_eq!((code, &told[0]["events"]), (Some(0), &json!(0)), "{told:?}");
    assert_eq!(lines(folder.path(), &arguments).0, Some(0), "a repeat is answered as done");
    let (code, told) = lines(folder.path(), &["replay", "orders"]);
    assert_eq!((code, &told[0]["different"]), (Some(0), &json!(0)), "{told:?}");

    // With the shop running, another event of another order.
    poisoned_behind_the_models(folder.path(), &ids[1]).await;
    let shop = Shop::open(folder, &[]).await;
    let error = error_of(shop.folder(), &["replay", "orders"]);
    let models = shop.get("/api/admin/projections").await.1;
    assert_eq!(states_of("orders", models["items"].as_array().unwrap()), ["LIVE", "STOPPED"]);
    assert_eq!(states_of("orders", &lines(shop.folder(), &["replay"]).1), ["LIVE", "STOPPED"]);
    let command = advised(&error);
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let (code, told) = lines(shop.folder(), &arguments);
    assert_eq!((code, &told[0]["events"]), (Some(0), &json!(0)), "{told:?}");
    let skips = shop.get("/api/admin/streams/skips-orders").await.1;
    assert!(skips.to_string().contains("WHY"), "{skips}");
    let (code, told) = lines(shop.folder(), &["replay", "orders"]);
    assert_eq!((code, &told[0]["different"]), (Some(0), &json!(0)), "{told:?}");
    assert_eq!(states_of("orders", &lines(shop.folder(), &["replay"]).1), ["LIVE"]);
    sold(&shop, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_is_not_written_over_what_another_wrote_since() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let lamp = shop.get("/api/products").await.1["items"][0]["id"].as_str().unwrap().to_owned();
    let folder = shop.stop();
    // From the second on the lamp is sold as a chair, which is told of only once the first can be read.
    let stream = StreamName::new("product", &lamp);
    appended(folder.path(), stream.clone(), "product.changed", &json!({ "content": 5 })).await;
    let variant =
        json!({ "sku": "CHAIR", "options": {}, "price": { "amount": 1, "currency": "GBP" }, "images": [] });
    let content = json!({ "name": "Lamp", "description": "", "category": "", "attributes": [], "active": true,
        "variants": [variant] });
    let changed = json!({ "content": content, "removedSkus": ["LAMP"] });
    appended(folder.path(), stream.clone(), "product.changed", &changed).await;
    let shop = Shop::open(folder, &[]).await;
    stocked(&shop, "CHAIR", 3).await;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_models_are_raised_builds_them_before_it_is_ready() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let id = sold(&shop, 1).await.remove(0);
    let folder = shop.stop();
    // As an earlier program left it.
    tamper(folder.path(), "UPDATE builds SET version = 0 WHERE model = 'orders'").await;
    tamper(folder.path(), "UPDATE process_checkpoints SET version = 0").await;
    let (code, told) = lines(folder.path(), &["replay", "--ahead"]);
    assert_eq!(code, Some(0), "{told:?}");
    let built = told[0]["built"].as_array().unwrap();
    assert_eq!(built.len(), 4, "{built:?}");
    let shop = Shop::open(folder, &[]).await;
    assert_eq!(shop.get(&format!("/api/orders/{id}")).await.1["status"], "CONFIRMED");
    sold(&shop, 1).await;
    let models = shop.get("/api/admin/projections").await.1;
    let orders: Vec<_> =
        models["items"].as_array().unwrap().iter().filter(|model| model["name"] == "orders").collect();
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(orders[0]["version"], 4);
    assert_eq!(lines(shop.folder(), &["replay", "--ahead"]).1[0]["built"], json!([]));
}
