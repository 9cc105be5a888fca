//! Results of the lines of an import, and the lines that are refused.

use serde_json::{Value, json};
use souk_http_shop::{Call, Response, Shop, product_body};

use crate::admin::import_products::{IMPORT, content, create_full_product, import, import_text, outcomes};

// Proves: products.import-changes-what-differs
#[tokio::test]
async fn a_second_import_changes_only_what_differs() {
    let shop = Shop::open().await;
    let line = |sku: &str, amount| product_body(sku, amount).to_string();
    let first = import(&shop, &[line("heart", 255), line("star", 1000)]).await;
    assert_eq!(outcomes(&first), ["created", "created"]);
    assert_eq!(first.text("position"), "4");
    let second =
        import(&shop, &[line("heart", 255), line("star", 999), String::new(), line("moon", 1)]).await;
    assert_eq!(outcomes(&second), ["unchanged", "changed", "created"]);
    assert_eq!(second.body["lines"][0]["id"], first.body["lines"][0]["id"]);
    assert_eq!(second.body["lines"][1]["id"], first.body["lines"][1]["id"]);
}

// Proves: products.import-refused-lines
#[tokio::test]
async fn an_invalid_line_is_refused_with_code_and_reason_and_other_lines_are_imported() {
    let shop = Shop::open().await;
    let two = json!({"name": "Two", "variants": [
        {"sku": "moon", "price": {"amount": 1, "currency": "GBP"}},
        {"sku": "heart", "price": {"amount": 1, "currency": "GBP"}},
    ]});
    import(&shop, &[product_body("heart", 255).to_string(), product_body("moon", 255).to_string()]).await;
    let lines = [
        "{".to_owned(),
        product_body("a/b", 1).to_string(),
        two.to_string(),
        product_body("star", 1).to_string(),
    ];
    let response = import(&shop, &lines).await;
    assert_eq!(outcomes(&response), ["refused", "refused", "refused", "created"]);
    let codes: Vec<_> = (0..3).map(|line| response.body["lines"][line]["code"].clone()).collect();
    assert_eq!(codes, ["malformed-body", "validation-failed", "sku-taken"]);
    assert!(response.body["lines"][1]["reason"].as_str().unwrap().contains("/sku"));
}

#[tokio::test]
async fn results_of_a_large_import_are_in_the_order_of_its_lines() {
    let shop = Shop::open().await;
    let lines: Vec<_> = (0..200)
        .map(|n| product_body(&format!("sku-{n:03}"), if n == 150 { -1 } else { n }).to_string())
        .collect();
    let outcomes = outcomes(&import(&shop, &lines).await);
    assert_eq!(outcomes.iter().position(|outcome| outcome == "refused"), Some(150));
    assert_eq!(outcomes.len(), 200);
}

#[tokio::test]
async fn a_new_product_needs_a_name_and_a_price() {
    let shop = Shop::open().await;
    let lines = [
        r#"{"sku":"N1","price":{"amount":1}}"#,
        r#"{"sku":"N2","name":"Rug"}"#,
        r#"{"name":"Rug","price":{"amount":1}}"#,
        r#"{"sku":"N4","name":"Rug","price":{}}"#,
        r#"{"sku":"N5","name":"Rug","price":{"decimal":"1.005"}}"#,
        r#"{"sku":"N6","name":"Rug","price":{"amount":1,"currency":"XXX"}}"#,
        r#"{"sku":"N7","name":"Rug","price":{"decimal":"1.05"}}"#,
    ];
    let response = import_text(&shop, lines.join("\n")).await;
    let reasons: Vec<_> =
        (0..6).map(|n| response.body["lines"][n]["reason"].as_str().unwrap().to_owned()).collect();
    for (reason, place) in
        reasons.iter().zip(["/name", "/price", "/variants", "/price", "/price/decimal", "/price/currency"])
    {
        assert!(reason.starts_with(&format!("{place}: ")), "{reason}");
    }
    assert_eq!(response.body["lines"][6]["outcome"], "created");
}

#[tokio::test]
async fn the_reason_of_a_refusal_names_each_field_once() {
    let shop = Shop::open().await;
    let response = import_text(&shop, r#"{"sku":"A","name":" ","price":{"amount":-1}}"#).await;
    let reason = response.body["lines"][0]["reason"].as_str().unwrap();
    assert_eq!(
        reason,
        "/name: 1 to 500 characters are allowed; /price/amount: a price is 0 to 1000000000000 minor units"
    );
}

#[tokio::test]
async fn a_result_has_the_number_of_the_line_on_which_its_product_begins() {
    let shop = Shop::open().await;
    let line = |sku: &str| product_body(sku, 1).to_string();
    let response = import_text(&shop, format!("\r\n{}\n\n  {{oops}}\n{}\n", line("A"), line("B"))).await;
    let numbers = |response: &Response| -> Vec<Value> {
        response.body["lines"].as_array().unwrap().iter().map(|line| line["line"].clone()).collect()
    };
    assert_eq!(numbers(&response), [2, 4, 5]);
    let reason = response.body["lines"][1]["reason"].as_str().unwrap();
    assert!(reason.ends_with(" at line 4, column 4"), "{reason}");
    let array = format!("\n[\n{},\n\n{{\"name\":\noops}}]", line("C"));
    let response = import_text(&shop, array).await;
    assert_eq!(numbers(&response), [3, 5]);
    let reason = response.body["lines"][1]["reason"].as_str().unwrap();
    assert!(reason.ends_with(" at line 6, column 1"), "{reason}");
}

#[tokio::test]
async fn an_import_refuses_a_line_with_a_sku_of_an_earlier_line() {
    let shop = Shop::open().await;
    let id = import(&shop, &[product_body("J1", 1).to_string()]).await.body["lines"][0]["id"].clone();
    let lines = [
        r#"{"sku":"J1","price":{"amount":2}}"#,
        "",
        r#"{"sku":" J1 ","price":{"amount":3}}"#,
        r#"{"name":"Rug","variants":[{"sku":"J2","price":{"amount":1}},{"sku":"J1"}]}"#,
        r#"{"sku":"J2","name":"Rug","price":{"amount":4}}"#,
    ];
    let response = import_text(&shop, lines.join("\n")).await;
    assert_eq!(outcomes(&response), ["changed", "refused", "refused", "created"]);
    let reasons: Vec<_> = (1..3).map(|at| response.body["lines"][at]["reason"].as_str().unwrap()).collect();
    assert_eq!(
        reasons,
        ["/sku: SKU J1 is already in line 1", "/variants/1/sku: SKU J1 is already in line 1"]
    );
    assert_eq!(content(&shop, id.as_str().unwrap()).await.0.variants[0].price.amount, 2);
}

#[tokio::test]
async fn a_line_that_contradicts_an_earlier_line_about_its_product_is_refused() {
    let shop = Shop::open().await;
    let id = create_full_product(&shop).await;
    let lines = [
        json!({"sku": "L1", "name": "One", "attributes": {"colour": "red"}}),
        json!({"sku": "L2", "name": "Two"}),
    ];
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    for (is_dry, first) in [(true, "changed"), (false, "changed"), (false, "unchanged"), (true, "unchanged")]
    {
        let call = Call::post_raw(&format!("{IMPORT}?dryRun={is_dry}"), lines.join("\n"));
        let response = shop.admin(call).await.done(200);
        assert_eq!(outcomes(&response), [first, "refused"], "{is_dry}");
        let refused = &response.body["lines"][1];
        assert_eq!((&refused["code"], &refused["id"]), (&json!("validation-failed"), &json!(id)));
        assert!(refused["reason"].as_str().unwrap().starts_with("/name: line 1 has another value"));
    }
    assert_eq!(content(&shop, &id).await.0.name, "One");
    // The values of a refused line don't count, so the next line may have another name.
    let lines = [
        json!({"sku": "L1", "name": "Three", "price": {"amount": -1}}),
        json!({"sku": "L2", "name": "Four", "attributes": {"colour": "red"}}),
    ];
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    assert_eq!(outcomes(&import(&shop, &lines).await), ["refused", "changed"]);
}
