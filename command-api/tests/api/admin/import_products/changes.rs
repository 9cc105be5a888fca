//! Changes that a line makes to a product that already exists.

use serde_json::{Value, json};
use souk_http_shop::{Call, Shop, product_body};

use crate::admin::import_products::{IMPORT, content, create_full_product, import, import_text, outcomes};

// Proves: products.import-missing-columns
#[tokio::test]
async fn a_price_list_changes_prices_and_nothing_else() {
    let shop = Shop::open().await;
    let id = create_full_product(&shop).await;
    let (mut expected, _) = content(&shop, &id).await;
    for line in [
        json!({"sku": "L2", "name": "Lamp", "price": {"amount": 210, "currency": "GBP"}}),
        json!({"variants": [{"sku": "L2", "price": {"amount": 210}}]}),
    ] {
        let response = import(&shop, &[line.to_string()]).await;
        assert_eq!(response.body["lines"][0]["id"], id);
        expected.variants[1].price.amount = 210;
        // The second line changes nothing, and appends no event.
        assert_eq!(content(&shop, &id).await, (expected.clone(), 2));
    }
}

// Proves: products.import-missing-columns
#[tokio::test]
async fn a_line_changes_the_fields_that_it_names() {
    let shop = Shop::open().await;
    let id = create_full_product(&shop).await;
    let line =
        json!({"sku": "L1", "description": "", "active": true, "attributes": {"watts": null, "base": "oak"}});
    assert_eq!(outcomes(&import(&shop, &[line.to_string()]).await), ["changed"]);
    let (lamp, _) = content(&shop, &id).await;
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
    let (lamp, _) = content(&shop, &id).await;
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
    let shop = Shop::open().await;
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
    let prices: Vec<_> =
        content(&shop, &id).await.0.variants.iter().map(|variant| variant.price.amount).collect();
    assert_eq!(prices, (0..150).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_content_of_a_product_is_found_even_if_many_noted_events_follow_it() {
    let shop = Shop::open().await;
    let id = create_full_product(&shop).await;
    let (lamp, _) = content(&shop, &id).await;
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
    let (changed, events) = content(&shop, &id).await;
    assert_eq!((changed.description, events), (lamp.description, 102));
}

#[tokio::test]
async fn a_put_replaces_the_whole_product() {
    let shop = Shop::open().await;
    let id = create_full_product(&shop).await;
    shop.admin(Call::put(&format!("/api/products/{id}"), &product_body("L1", 1))).await.done(200);
    let (lamp, _) = content(&shop, &id).await;
    assert_eq!((lamp.description.as_str(), lamp.attributes.len(), lamp.variants.len()), ("", 0, 1));
    assert!(lamp.active);
}

// Proves: products.import-dry-run
#[tokio::test]
async fn a_dry_run_lists_the_changes_and_writes_nothing() {
    let shop = Shop::open().await;
    let id = create_full_product(&shop).await;
    for sku in ["star", "heart", "moon", "sun"] {
        shop.create_product(sku, 1).await;
    }
    let head = shop.head().await;
    let lines = [
        json!({"sku": "L1", "price": {"amount": 110}, "attributes": {"colour": null, "base": "oak"}}),
        product_body("new", 5),
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
    assert_eq!(shop.head().await, head);
    shop.admin(Call::post_raw(&format!("{IMPORT}?dry=1"), "")).await.refused(400, "invalid-parameter");
}

#[tokio::test]
async fn a_product_is_found_by_any_of_its_skus() {
    let shop = Shop::open().await;
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
        assert_eq!(content(&shop, &id).await.0.variants.len(), skus);
    }
    import(&shop, &[product_body("star", 1).to_string()]).await;
    let both = import_text(&shop, r#"{"variants":[{"sku":"star"},{"sku":"L1"}]}"#).await;
    assert_eq!(both.body["lines"][0]["code"], "sku-taken");
}

#[tokio::test]
async fn a_boolean_or_number_attribute_keeps_its_type_if_the_import_has_a_text() {
    let shop = Shop::open().await;
    let lamp = json!({"name": "Lamp", "sku": "L1", "price": {"amount": 1, "currency": "GBP"},
        "attributes": {"dim": true, "watts": 5}});
    let id = shop.admin(Call::post("/api/products", &lamp)).await.done(201).text("id");
    let same = import_text(&shop, r#"{"sku":"L1","attributes":{"dim":"TRUE","watts":"5.0"}}"#).await;
    assert_eq!(outcomes(&same), ["unchanged"]);
    let other = import_text(&shop, r#"{"sku":"L1","attributes":{"dim":"FALSE","watts":"7.5"}}"#).await;
    assert_eq!(outcomes(&other), ["changed"]);
    let attributes = content(&shop, &id).await.0.attributes;
    let values: Vec<_> =
        attributes.iter().map(|attribute| (attribute.name.as_str(), attribute.value.as_str())).collect();
    assert_eq!(values, [("dim", "false"), ("watts", "7.5")]);
    let text = souk_domain::product::event::AttributeKind::Text;
    assert!(attributes.iter().all(|attribute| attribute.kind != text));
}
