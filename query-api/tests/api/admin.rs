use serde_json::json;
use souk_domain::stock::Stock;
use souk_http::Role;

use crate::shop::{Shop, fields, sku};

#[tokio::test]
async fn every_read_model_says_how_far_it_is() {
    let mut shop = Shop::open().await;
    shop.counts("A1", 1).await;
    shop.project().await;
    shop.counts("A1", 2).await;
    let answer = shop.get("/api/admin/projections").token(Role::Admin, "ops").send().await;
    assert_eq!(answer.json["head"], "2");
    let items = answer.json["items"].as_array().unwrap();
    assert_eq!(items.len(), souk_projections::models().len());
    let stock = items.iter().find(|item| item["name"] == "stock").unwrap();
    let expected =
        json!({"name": "stock", "version": 1, "position": "1", "lag": 1, "state": "LIVE", "parked": 0});
    assert_eq!(*stock, expected);
}

#[tokio::test]
async fn read_models_that_do_not_follow_the_log_are_stopped() {
    let shop = Shop::open().await;
    shop.following.send_replace(false);
    let answer = shop.get("/api/admin/projections").token(Role::Admin, "ops").send().await;
    assert_eq!(answer.json["items"][0]["state"], "STOPPED");
}

#[tokio::test]
async fn a_stream_is_read_from_its_first_event_on() {
    let mut shop = Shop::open().await;
    for on_hand in 0..7 {
        shop.counts("A1", on_hand).await;
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
async fn operations_are_for_admins_and_unknown_streams_not_found() {
    let shop = Shop::open().await;
    for path in ["/api/admin/projections", "/api/admin/streams/stock-A1"] {
        shop.get(path).send().await.refused(401, "unauthenticated");
        shop.get(path).token(Role::Service, "erp").send().await.refused(403, "forbidden");
    }
    shop.get("/api/admin/streams/stock-A1").token(Role::Admin, "ops").send().await.refused(404, "not-found");
    shop.get("/api/admin/streams/STOCK")
        .token(Role::Admin, "ops")
        .send()
        .await
        .refused(400, "invalid-parameter");
}
