//! Tests of `POST /api/admin/projections/switch`.

use serde_json::json;
use souk_http_shop::{Call, Shop};

#[tokio::test]
async fn builds_are_switched_when_they_are_ready() {
    let shop = Shop::open().await;
    let switch = "/api/admin/projections/switch";
    let builds = |builds| json!({ "builds": builds });
    let response =
        shop.admin(Call::post(switch, &builds(json!([{"name": "orders", "build": 12}])))).await.done(200);
    assert_eq!(response.body["position"], "60");
    let other = builds(json!([{"name": "orders", "build": 13}]));
    shop.admin(Call::post(switch, &other)).await.refused(409, "build-not-ready");
    shop.admin(Call::post(switch, &builds(json!([])))).await.refused(422, "validation-failed");
}
