//! Tests of `/api/admin/projections` and `/api/admin/streams/{stream}`.

use serde_json::json;
use souk_domain::stock::Stock;
use souk_http::Role;
use souk_http_shop::{Call, Shop, fields, sku};

// Proves: operations.read-model-status
#[tokio::test]
async fn every_read_model_shows_its_position_and_lag() {
    let shop = Shop::open().await;
    shop.append_count("A1", 1).await;
    shop.project().await;
    shop.append_count("A1", 2).await;
    let response = shop.admin(Call::get("/api/admin/projections")).await;
    assert_eq!(response.body["head"], "2");
    let items = response.body["items"].as_array().unwrap();
    assert_eq!(items.len(), souk_projections::models().len());
    let stock = items.iter().find(|item| item["name"] == "stock").unwrap();
    let expected =
        json!({"name": "stock", "version": 1, "position": "1", "lag": 1, "state": "LIVE", "parked": 0});
    assert_eq!(*stock, expected);
}

#[tokio::test]
async fn read_models_that_no_process_updates_are_shown_as_stopped() {
    let shop = Shop::open().await;
    shop.reads.following.send_replace(false);
    let response = shop.admin(Call::get("/api/admin/projections")).await;
    assert_eq!(response.body["items"][0]["state"], "STOPPED");
}

#[tokio::test]
async fn a_stream_is_listed_from_its_first_event() {
    let shop = Shop::open().await;
    for on_hand in 0..7 {
        shop.append_count("A1", on_hand).await;
    }
    let pages = shop.pages("/api/admin/streams/stock-A1", Role::Admin).await;
    let revisions: Vec<u64> = pages.iter().map(|event| event["revision"].as_u64().unwrap()).collect();
    assert_eq!(revisions, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(fields(&pages, "type"), vec!["stock.counted"; 7]);
    let event = &pages[3];
    assert_eq!((&event["data"], &event["actor"]), (&json!({"onHand": 3}), &json!("admin:ops")));
    assert_eq!(
        (&event["position"], &event["stream"]),
        (&json!("4"), &json!(Stock::stream(&sku("A1")).as_str()))
    );
}

#[tokio::test]
async fn a_cursor_of_one_stream_is_refused_for_another() {
    let shop = Shop::open().await;
    for sku in ["A1", "B1"] {
        shop.append_count(sku, 1).await;
        shop.append_count(sku, 2).await;
    }
    let page = shop.admin(Call::get("/api/admin/streams/stock-A1?limit=1")).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let at = |stream: &str| Call::get(&format!("/api/admin/streams/{stream}?limit=1&cursor={cursor}"));
    shop.admin(at("stock-A1")).await.done(200);
    shop.admin(at("stock-B1")).await.refused(400, "invalid-parameter");
}

// Proves: operations.read-model-status
#[tokio::test]
async fn only_admins_can_use_operations_and_unknown_streams_are_not_found() {
    let shop = Shop::open().await;
    for path in ["/api/admin/projections", "/api/admin/streams/stock-A1"] {
        shop.send(Call::get(path)).await.refused(401, "unauthenticated");
        shop.with_role(Role::Service, "erp", Call::get(path)).await.refused(403, "forbidden");
    }
    shop.admin(Call::get("/api/admin/streams/stock-A1")).await.refused(404, "not-found");
    shop.admin(Call::get("/api/admin/streams/STOCK")).await.refused(400, "invalid-parameter");
}
