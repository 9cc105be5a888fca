//! Access to the import, and the forms of its body.

use souk_http_shop::{Call, Shop, product_body};

use crate::admin::import_products::{IMPORT, content, import_text, outcomes};

#[tokio::test]
async fn only_admins_import() {
    let shop = Shop::open().await;
    let call = || Call::post_raw(IMPORT, product_body("heart", 1).to_string());
    shop.send(call()).await.refused(401, "unauthenticated");
    shop.customer("ada", call()).await.refused(403, "forbidden");
}

#[tokio::test]
async fn text_that_another_program_has_damaged_is_refused() {
    let shop = Shop::open().await;
    let latin1 = b"{\"name\":\"Cr\xe8me\",\"sku\":\"E1\",\"price\":{\"amount\":1}}\n".to_vec();
    let replaced = "{\"name\":\"Cr\u{fffd}me\",\"sku\":\"E2\",\"price\":{\"amount\":1}}\n";
    let right = "{\"name\":\"Cr\u{e8}me\",\"sku\":\"E3\",\"price\":{\"amount\":1}}";
    let response = import_text(&shop, [&latin1, replaced.as_bytes(), right.as_bytes()].concat()).await;
    assert_eq!(outcomes(&response), ["refused", "refused", "created"]);
    let reason = |line: usize| response.body["lines"][line]["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason(0), "byte 12 of the line is not UTF-8");
    assert!(reason(1).contains("U+FFFD"), "{}", reason(1));
    assert_eq!(content(&shop, response.body["lines"][2]["id"].as_str().unwrap()).await.0.name, "Crème");
    let call =
        Call::post_raw(IMPORT, right).header("content-type", "application/x-ndjson; charset=iso-8859-1");
    shop.admin(call).await.refused(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_field_that_occurs_twice_is_refused() {
    let shop = Shop::open().await;
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
    let shop = Shop::open().await;
    let line = product_body("B1", 100);
    assert_eq!(outcomes(&import_text(&shop, format!("\u{feff}{line}")).await), ["created"]);
    let array = format!("\u{feff} [\n{line},\n{{\"a\":}},\n{}\n]\n", product_body("B2", 1));
    assert_eq!(outcomes(&import_text(&shop, array).await), ["unchanged", "refused", "created"]);
    shop.admin(Call::post_raw(IMPORT, format!("[{line}"))).await.refused(400, "malformed-body");
    let many = format!("[{}{{}}]", "{},".repeat(2_000));
    let loads = shop.loads().len();
    shop.admin(Call::post_raw(IMPORT, many)).await.refused(422, "validation-failed").at("", "too-many");
    assert_eq!(shop.loads().len(), loads);
}

#[tokio::test]
async fn an_import_with_another_content_type_than_json_is_refused() {
    let shop = Shop::open().await;
    for kind in ["text/csv", "text/plain", "application/x-www-form-urlencoded"] {
        let csv = Call::post_raw(IMPORT, "sku,price\nA,1\n").header("content-type", kind);
        let response = shop.admin(csv).await.refused(415, "unsupported-media-type");
        assert!(response.text("detail").contains("for CSV, use `souk import`"), "{:?}", response.body);
    }
    let lines = Call::post_raw(IMPORT, product_body("A", 1).to_string())
        .header("content-type", "application/x-ndjson");
    shop.admin(lines).await.done(200);
}
