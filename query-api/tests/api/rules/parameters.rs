//! Query parameters of all reads.

use souk_http::Role;
use souk_http_shop::{Call, Shop, order_id};

#[tokio::test]
async fn every_read_refuses_a_parameter_that_it_does_not_declare() {
    let shop = Shop::open().await;
    for route in souk_query_api::routes().into_iter().filter(|route| route.method == "GET") {
        let mut path = route.path.clone();
        while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
            path.replace_range(start..=end, &format!("order-{}", order_id(5)));
        }
        for query in ["colour=red", "colour=", "colour"] {
            let call = Call::get(&format!("{path}?{query}"));
            let response = shop.with_role(Role::Admin, "ops", call).await;
            let detail = response.refused(400, "invalid-parameter").text("detail");
            assert!(detail.contains("colour"), "{path}: {detail}");
        }
    }
}
