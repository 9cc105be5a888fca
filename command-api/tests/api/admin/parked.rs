//! Tests of `/api/admin/parked/…`.

use serde_json::json;
use souk_domain::skips::Skips;
use souk_eventsourcing::parking::Skip;
use souk_eventsourcing::{Revision, StreamName};
use souk_http::Role;
use souk_http_shop::{Call, Shop};

const PARKED: &str = "/api/admin/parked";

// Proves: platform.parked-retry-or-skip
#[tokio::test]
async fn a_parked_entity_is_retried_or_its_event_is_skipped_with_a_recorded_reason() {
    let shop = Shop::open().await;
    let body = json!({"owner": "orders", "entity": "a"});
    let response =
        shop.admin(Call::post(&format!("{PARKED}/retry"), &body)).await.refused(409, "still-parked");
    assert!(response.text("detail").contains("position 57"), "{}", response.body);
    let body = json!({"owner": "orders", "entity": "a", "reason": " "});
    shop.admin(Call::post(&format!("{PARKED}/skip"), &body)).await.refused(422, "validation-failed");
    let body = json!({"owner": "orders", "entity": "a", "reason": "this carrier does not exist"});
    let response = shop.admin(Call::post(&format!("{PARKED}/skip"), &body)).await.done(200);
    assert_eq!(response.body["events"], 2);
    let skips = shop.ports.aggregates.skips.load(&Skips::stream("orders")).await.unwrap().unwrap();
    let skip = Skip { stream: StreamName::new("order", "a"), revision: Revision(3), key: Some("a".into()) };
    assert_eq!(skips.state.skipped, [skip]);
    shop.admin(Call::post(&format!("{PARKED}/skip"), &body)).await.refused(404, "not-found");
}

#[tokio::test]
async fn an_event_that_a_process_wrote_itself_is_never_skipped() {
    let shop = Shop::open().await;
    let body = json!({"owner": "checkout", "entity": "a", "reason": "x"});
    shop.admin(Call::post(&format!("{PARKED}/skip"), &body)).await.refused(409, "still-parked");
    assert!(shop.ports.aggregates.skips.load(&Skips::stream("checkout")).await.unwrap().is_none());
}

#[tokio::test]
async fn an_event_that_stops_a_rebuild_is_skipped_by_its_position() {
    let shop = Shop::open().await;
    let skip = |position: &str| {
        let body = json!({"owner": "orders", "entity": "order-b", "position": position, "reason": "no such carrier"});
        shop.admin(Call::post(&format!("{PARKED}/skip"), &body))
    };
    for wrong in ["", "x", "-1", "+58", "5555555555555555555"] {
        skip(wrong).await.refused(422, "validation-failed").at("/position", "invalid-position");
    }
    skip("57").await.refused(404, "not-found");
    assert_eq!(skip("58").await.done(200).body["events"], 0);
    let skips = shop.ports.aggregates.skips.load(&Skips::stream("orders")).await.unwrap().unwrap();
    let skipped = Skip { stream: StreamName::new("order", "b"), revision: Revision(4), key: None };
    assert_eq!(skips.state.skipped, [skipped]);
}

#[tokio::test]
async fn only_admins_retry_parked_entities() {
    let shop = Shop::open().await;
    let parked = json!({"owner": "orders", "entity": "a"});
    let call = Call::post(&format!("{PARKED}/retry"), &parked);
    shop.with_role(Role::Service, "erp", call).await.refused(403, "forbidden");
}
