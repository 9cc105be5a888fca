use serde_json::{Value, json};
use souk_domain::ProductId;
use souk_domain::product::{Content, Product, ProductEvent};

use crate::shop::{Call, TestResponse, TestShop, product};

const IMPORT: &str = "/api/admin/import/products";

async fn import(shop: &TestShop, lines: &[String]) -> TestResponse {
    shop.admin(Call::post_raw(IMPORT, lines.join("\n"))).await.done(200)
}

fn outcomes(response: &TestResponse) -> Vec<Value> {
    response.body["lines"].as_array().unwrap().iter().map(|line| line["outcome"].clone()).collect()
}

#[tokio::test]
async fn a_second_import_changes_only_what_differs() {
    let shop = TestShop::open().await;
    let line = |sku: &str, amount| product(sku, amount).to_string();
    let first = import(&shop, &[line("heart", 255), line("star", 1000)]).await;
    assert_eq!(outcomes(&first), ["created", "created"]);
    assert_eq!(first.text("position"), "4");
    let second =
        import(&shop, &[line("heart", 255), line("star", 999), String::new(), line("moon", 1)]).await;
    assert_eq!(outcomes(&second), ["unchanged", "changed", "created"]);
    assert_eq!(second.body["lines"][0]["id"], first.body["lines"][0]["id"]);
    assert_eq!(second.body["lines"][1]["id"], first.body["lines"][1]["id"]);
}

#[tokio::test]
async fn an_invalid_line_is_refused_with_code_and_reason_and_other_lines_are_imported() {
    let shop = TestShop::open().await;
    let two = json!({"name": "Two", "variants": [
        {"sku": "moon", "price": {"amount": 1, "currency": "GBP"}},
        {"sku": "heart", "price": {"amount": 1, "currency": "GBP"}},
    ]});
    import(&shop, &[product("heart", 255).to_string(), product("moon", 255).to_string()]).await;
    let lines =
        ["{".to_owned(), product("a/b", 1).to_string(), two.to_string(), product("star", 1).to_string()];
    let response = import(&shop, &lines).await;
    assert_eq!(outcomes(&response), ["refused", "refused", "refused", "created"]);
    let codes: Vec<_> = (0..3).map(|line| response.body["lines"][line]["code"].clone()).collect();
    assert_eq!(codes, ["malformed-body", "validation-failed", "sku-taken"]);
    assert!(response.body["lines"][1]["reason"].as_str().unwrap().contains("/sku"));
}

#[tokio::test]
async fn results_of_a_large_import_are_in_the_order_of_its_lines() {
    let shop = TestShop::open().await;
    let lines: Vec<_> = (0..200)
        .map(|n| product(&format!("sku-{n:03}"), if n == 150 { -1 } else { n }).to_string())
        .collect();
    let outcomes = outcomes(&import(&shop, &lines).await);
    assert_eq!(outcomes.iter().position(|outcome| outcome == "refused"), Some(150));
    assert_eq!(outcomes.len(), 200);
}

#[tokio::test]
async fn only_admins_import() {
    let shop = TestShop::open().await;
    let call = || Call::post_raw(IMPORT, product("heart", 1).to_string());
    shop.send(call()).await.refused(401, "unauthenticated");
    shop.customer("ada", call()).await.refused(403, "forbidden");
}

/// Creates a product that has every field and is not for sale. Returns the product's id.
async fn create_full_product(shop: &TestShop) -> String {
    let variant = |sku: &str, amount: i64| {
        json!({"sku": sku, "options": {"size": sku}, "price": {"amount": amount, "currency": "GBP"},
            "images": [format!("https://example.org/{sku}.png")]})
    };
    let lamp = json!({"name": "Lamp", "description": "Of glass.", "category": "home/lighting", "active": false,
        "attributes": {"colour": "white", "watts": 40}, "variants": [variant("L1", 100), variant("L2", 200)]});
    shop.admin(Call::post("/api/products", &lamp)).await.done(201).text("id")
}

/// Returns the content of a product and the number of its events.
fn content(shop: &TestShop, id: &str) -> (Content, usize) {
    let stream = Product::stream(ProductId(id.parse().unwrap()));
    let events = shop.log.lock().unwrap().stream(&stream);
    let content = match events.last().unwrap().decode().unwrap() {
        ProductEvent::Created(event) => event.content,
        ProductEvent::Changed(event) => event.content,
        other => panic!("{other:?}"),
    };
    (content, events.len())
}

async fn import_text(shop: &TestShop, text: impl Into<Vec<u8>>) -> TestResponse {
    shop.admin(Call::post_raw(IMPORT, text)).await.done(200)
}

#[tokio::test]
async fn a_price_list_changes_prices_and_nothing_else() {
    let shop = TestShop::open().await;
    let id = create_full_product(&shop).await;
    let (mut expected, _) = content(&shop, &id);
    for line in [
        json!({"sku": "L2", "name": "Lamp", "price": {"amount": 210, "currency": "GBP"}}),
        json!({"variants": [{"sku": "L2", "price": {"amount": 210}}]}),
    ] {
        let response = import(&shop, &[line.to_string()]).await;
        assert_eq!(response.body["lines"][0]["id"], id);
        expected.variants[1].price.amount = 210;
        // The second line changes nothing, and appends no event.
        assert_eq!(content(&shop, &id), (expected.clone(), 2));
    }
}

#[tokio::test]
async fn a_line_changes_the_fields_that_it_names() {
    let shop = TestShop::open().await;
    let id = create_full_product(&shop).await;
    let line =
        json!({"sku": "L1", "description": "", "active": true, "attributes": {"watts": null, "base": "oak"}});
    assert_eq!(outcomes(&import(&shop, &[line.to_string()]).await), ["changed"]);
    let (lamp, _) = content(&shop, &id);
    assert_eq!(
        (lamp.name.as_str(), lamp.description.as_str(), lamp.category.as_str()),
        ("Lamp", "", "home/lighting")
    );
    let attributes: Vec<_> =
        lamp.attributes.iter().map(|attribute| (attribute.name.as_str(), attribute.value.as_str())).collect();
    assert_eq!(attributes, [("base", "oak"), ("colour", "white")]);
    assert!(lamp.active && lamp.variants.len() == 2);
    let new_variant = json!({"variants": [
        {"sku": "L1", "options": {"size": null, "shade": "round"}, "images": []},
        {"sku": "L3", "price": {"decimal": "3.50"}},
    ]});
    assert_eq!(outcomes(&import(&shop, &[new_variant.to_string()]).await), ["changed"]);
    let (lamp, _) = content(&shop, &id);
    let prices: Vec<_> =
        lamp.variants.iter().map(|variant| (variant.sku.to_string(), variant.price.amount)).collect();
    assert_eq!(prices, [("L1".to_owned(), 100), ("L2".to_owned(), 200), ("L3".to_owned(), 350)]);
    assert!(lamp.variants[0].images.is_empty() && lamp.variants[1].images.len() == 1);
    assert_eq!(
        lamp.variants[0].options.iter().collect::<Vec<_>>(),
        [(&"shade".to_owned(), &"round".to_owned())]
    );
}

#[tokio::test]
async fn every_line_of_one_product_is_applied() {
    let shop = TestShop::open().await;
    let variants: Vec<_> = (0..150)
        .map(|n| json!({"sku": format!("S{n}"), "price": {"amount": 1, "currency": "GBP"}}))
        .collect();
    let lamp = json!({"name": "Lamp", "variants": variants});
    let id = shop.admin(Call::post("/api/products", &lamp)).await.done(201).text("id");
    let lines = (0..150).map(|n| json!({"sku": format!("S{n}"), "price": {"amount": n}}).to_string());
    let lines: Vec<_> = lines.collect();
    let outcomes = outcomes(&import(&shop, &lines).await);
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "changed").count(), 149, "{outcomes:?}");
    assert_eq!(outcomes[1], "unchanged");
    let prices: Vec<_> = content(&shop, &id).0.variants.iter().map(|variant| variant.price.amount).collect();
    assert_eq!(prices, (0..150).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_content_of_a_product_is_found_even_if_many_noted_events_follow_it() {
    let shop = TestShop::open().await;
    let id = create_full_product(&shop).await;
    let (lamp, _) = content(&shop, &id);
    let variant = |variant: &souk_domain::product::event::Variant| {
        json!({"sku": variant.sku.to_string(), "options": variant.options, "images": variant.images,
            "price": {"amount": variant.price.amount, "currency": "GBP"}})
    };
    let same = json!({"name": "Lamp", "description": "Of glass.", "category": "home/lighting", "active": false,
        "attributes": {"colour": "white", "watts": 40},
        "variants": lamp.variants.iter().map(variant).collect::<Vec<_>>()});
    // A write under an idempotency key that changes nothing leaves a noted event on the stream.
    for n in 0..100 {
        let call = Call::put(&format!("/api/products/{id}"), &same).key(&format!("key-{n}"));
        shop.admin(call).await.done(200);
    }
    let response = import_text(&shop, r#"{"sku":"L1","price":{"amount":110}}"#).await;
    assert_eq!(outcomes(&response), ["changed"]);
    let (changed, events) = content(&shop, &id);
    assert_eq!((changed.description, events), (lamp.description, 102));
}

#[tokio::test]
async fn a_put_replaces_the_whole_product() {
    let shop = TestShop::open().await;
    let id = create_full_product(&shop).await;
    shop.admin(Call::put(&format!("/api/products/{id}"), &product("L1", 1))).await.done(200);
    let (lamp, _) = content(&shop, &id);
    assert_eq!((lamp.description.as_str(), lamp.attributes.len(), lamp.variants.len()), ("", 0, 1));
    assert!(lamp.active);
}

#[tokio::test]
async fn a_new_product_needs_a_name_and_a_price() {
    let shop = TestShop::open().await;
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
async fn text_that_another_program_has_damaged_is_refused() {
    let shop = TestShop::open().await;
    let latin1 = b"{\"name\":\"Cr\xe8me\",\"sku\":\"E1\",\"price\":{\"amount\":1}}\n".to_vec();
    let replaced = "{\"name\":\"Cr\u{fffd}me\",\"sku\":\"E2\",\"price\":{\"amount\":1}}\n";
    let right = "{\"name\":\"Cr\u{e8}me\",\"sku\":\"E3\",\"price\":{\"amount\":1}}";
    let response = import_text(&shop, [&latin1, replaced.as_bytes(), right.as_bytes()].concat()).await;
    assert_eq!(outcomes(&response), ["refused", "refused", "created"]);
    let reason = |line: usize| response.body["lines"][line]["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason(0), "byte 12 of the line is not UTF-8");
    assert!(reason(1).contains("U+FFFD"), "{}", reason(1));
    assert_eq!(content(&shop, response.body["lines"][2]["id"].as_str().unwrap()).0.name, "Crème");
    let call =
        Call::post_raw(IMPORT, right).header("content-type", "application/x-ndjson; charset=iso-8859-1");
    shop.admin(call).await.refused(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_field_that_occurs_twice_is_refused() {
    let shop = TestShop::open().await;
    let price = r#""price":{"amount":1}"#;
    for twice in [
        r#""sku":"A","sku":"B""#,
        r#""sku":"A","attributes":{"a":1,"a":2}"#,
        r#""variants":[{"sku":"A","options":{"a":"1","a":"2"},"price":{"amount":1}}]"#,
    ] {
        let response = import_text(&shop, format!(r#"{{"name":"Lamp",{twice},{price}}}"#)).await;
        let line = &response.body["lines"][0];
        assert!(line["reason"].as_str().unwrap().contains("occurs twice"), "{twice}: {line}");
        let body = format!(r#"{{"name":"Lamp",{twice},"price":{{"amount":1,"currency":"GBP"}}}}"#);
        shop.admin(Call::post_raw("/api/products", body)).await.refused(422, "validation-failed");
    }
}

#[tokio::test]
async fn a_body_may_be_an_array_and_may_begin_with_a_byte_order_mark() {
    let shop = TestShop::open().await;
    let line = product("B1", 100);
    assert_eq!(outcomes(&import_text(&shop, format!("\u{feff}{line}")).await), ["created"]);
    let array = format!("\u{feff} [\n{line},\n{{\"a\":}},\n{}\n]\n", product("B2", 1));
    assert_eq!(outcomes(&import_text(&shop, array).await), ["unchanged", "refused", "created"]);
    shop.admin(Call::post_raw(IMPORT, format!("[{line}"))).await.refused(400, "malformed-body");
    let many = format!("[{}{{}}]", "{},".repeat(2_000));
    let loads = shop.log.lock().unwrap().loads.len();
    shop.admin(Call::post_raw(IMPORT, many)).await.refused(422, "validation-failed").at("", "too-many");
    assert_eq!(shop.log.lock().unwrap().loads.len(), loads);
}

#[tokio::test]
async fn a_dry_run_lists_the_changes_and_writes_nothing() {
    let shop = TestShop::open().await;
    let id = create_full_product(&shop).await;
    for sku in ["star", "heart", "moon", "sun"] {
        shop.admin(Call::post("/api/products", &product(sku, 1))).await.done(201);
    }
    let head = shop.log.lock().unwrap().head;
    let lines = [
        json!({"sku": "L1", "price": {"amount": 110}, "attributes": {"colour": null, "base": "oak"}}),
        product("new", 5),
        json!({"sku": "L2", "price": {"amount": 200}}),
        json!({"name": "x", "variants": [{"sku": "heart", "price": {"amount": 1}}, {"sku": "star", "price": {"amount": 1}}]}),
        json!({"variants": [{"sku": "moon"}, {"sku": "sun", "price": {"amount": 1}}]}),
        json!({"sku": "rock", "name": "Rock", "price": {"amount": -1}}),
    ];
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    let response =
        shop.admin(Call::post_raw(&format!("{IMPORT}?dryRun=true"), lines.join("\n"))).await.done(200);
    assert_eq!(outcomes(&response), ["changed", "created", "unchanged", "refused", "refused", "refused"]);
    assert_eq!(response.body["lines"][0]["id"], id);
    let expected = json!([
        {"field": "attributes.base", "to": "oak"},
        {"field": "price", "sku": "L1", "from": "1.00 GBP", "to": "1.10 GBP"},
        {"field": "attributes.colour", "from": "white"},
    ]);
    assert_eq!(response.body["lines"][0]["changes"], expected);
    let codes: Vec<_> = (3..6).map(|line| response.body["lines"][line]["code"].clone()).collect();
    assert_eq!(codes, ["sku-taken", "sku-taken", "validation-failed"]);
    assert_eq!(shop.log.lock().unwrap().head, head);
    shop.admin(Call::post_raw(&format!("{IMPORT}?dry=1"), "")).await.refused(400, "invalid-parameter");
}

#[tokio::test]
async fn the_reason_of_a_refusal_names_each_field_once() {
    let shop = TestShop::open().await;
    let response = import_text(&shop, r#"{"sku":"A","name":" ","price":{"amount":-1}}"#).await;
    let reason = response.body["lines"][0]["reason"].as_str().unwrap();
    assert_eq!(
        reason,
        "/name: 1 to 500 characters are allowed; /price/amount: a price is 0 to 1000000000000 minor units"
    );
}

#[tokio::test]
async fn an_import_with_another_content_type_than_json_is_refused() {
    let shop = TestShop::open().await;
    for kind in ["text/csv", "text/plain", "application/x-www-form-urlencoded"] {
        let csv = Call::post_raw(IMPORT, "sku,price\nA,1\n").header("content-type", kind);
        let response = shop.admin(csv).await.refused(415, "unsupported-media-type");
        assert!(response.text("detail").contains("for CSV, use `souk import`"), "{:?}", response.body);
    }
    let lines =
        Call::post_raw(IMPORT, product("A", 1).to_string()).header("content-type", "application/x-ndjson");
    shop.admin(lines).await.done(200);
}

#[tokio::test]
async fn a_result_has_the_number_of_the_line_on_which_its_product_begins() {
    let shop = TestShop::open().await;
    let line = |sku: &str| product(sku, 1).to_string();
    let response = import_text(&shop, format!("\r\n{}\n\n  {{oops}}\n{}\n", line("A"), line("B"))).await;
    let numbers = |response: &TestResponse| -> Vec<Value> {
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
    let shop = TestShop::open().await;
    let id = import(&shop, &[product("J1", 1).to_string()]).await.body["lines"][0]["id"].clone();
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
    assert_eq!(content(&shop, id.as_str().unwrap()).0.variants[0].price.amount, 2);
}

#[tokio::test]
async fn a_line_that_contradicts_an_earlier_line_about_its_product_is_refused() {
    let shop = TestShop::open().await;
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
    assert_eq!(content(&shop, &id).0.name, "One");
    // The values of a refused line don't count, so the next line may have another name.
    let lines = [
        json!({"sku": "L1", "name": "Three", "price": {"amount": -1}}),
        json!({"sku": "L2", "name": "Four", "attributes": {"colour": "red"}}),
    ];
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    assert_eq!(outcomes(&import(&shop, &lines).await), ["refused", "changed"]);
}

#[tokio::test]
async fn a_product_is_found_by_any_of_its_skus() {
    let shop = TestShop::open().await;
    let id = create_full_product(&shop).await;
    for (line, skus) in [
        (r#"{"variants":[{"sku":"L3","price":{"amount":300}},{"sku":"L1"}]}"#, 3),
        (
            r#"{"variants":[{"sku":"L4","price":{"amount":400}},{"sku":"L5","price":{"amount":1}},{"sku":"L2"}]}"#,
            5,
        ),
    ] {
        let response = import_text(&shop, line).await;
        assert_eq!(
            (&outcomes(&response)[0], &response.body["lines"][0]["id"]),
            (&json!("changed"), &json!(id))
        );
        assert_eq!(content(&shop, &id).0.variants.len(), skus);
    }
    import(&shop, &[product("star", 1).to_string()]).await;
    let both = import_text(&shop, r#"{"variants":[{"sku":"star"},{"sku":"L1"}]}"#).await;
    assert_eq!(both.body["lines"][0]["code"], "sku-taken");
}

#[tokio::test]
async fn a_boolean_or_number_attribute_keeps_its_type_if_the_import_has_a_text() {
    let shop = TestShop::open().await;
    let lamp = json!({"name": "Lamp", "sku": "L1", "price": {"amount": 1, "currency": "GBP"},
        "attributes": {"dim": true, "watts": 5}});
    let id = shop.admin(Call::post("/api/products", &lamp)).await.done(201).text("id");
    let same = import_text(&shop, r#"{"sku":"L1","attributes":{"dim":"TRUE","watts":"5.0"}}"#).await;
    assert_eq!(outcomes(&same), ["unchanged"]);
    let other = import_text(&shop, r#"{"sku":"L1","attributes":{"dim":"FALSE","watts":"7.5"}}"#).await;
    assert_eq!(outcomes(&other), ["changed"]);
    let attributes = content(&shop, &id).0.attributes;
    let values: Vec<_> =
        attributes.iter().map(|attribute| (attribute.name.as_str(), attribute.value.as_str())).collect();
    assert_eq!(values, [("dim", "false"), ("watts", "7.5")]);
    let text = souk_domain::product::event::AttributeKind::Text;
    assert!(attributes.iter().all(|attribute| attribute.kind != text));
}
