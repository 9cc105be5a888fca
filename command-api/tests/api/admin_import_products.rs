use serde_json::{Value, json};

use crate::shop::{Answer, Call, TestShop, product};

async fn import(shop: &TestShop, lines: &[String]) -> Answer {
    shop.admin(Call::post_raw("/api/admin/import/products", lines.join("\n"))).await.done(200)
}

fn outcomes(answer: &Answer) -> Vec<Value> {
    answer.body["lines"].as_array().unwrap().iter().map(|line| line["outcome"].clone()).collect()
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
async fn a_line_that_cannot_be_is_refused_with_code_and_reason_and_the_others_go_on() {
    let shop = TestShop::open().await;
    let two = json!({"name": "Two", "variants": [
        {"sku": "moon", "price": {"amount": 1, "currency": "GBP"}},
        {"sku": "heart", "price": {"amount": 1, "currency": "GBP"}},
    ]});
    import(&shop, &[product("heart", 255).to_string()]).await;
    let lines =
        ["{".to_owned(), product("a/b", 1).to_string(), two.to_string(), product("star", 1).to_string()];
    let answer = import(&shop, &lines).await;
    assert_eq!(outcomes(&answer), ["refused", "refused", "refused", "created"]);
    let codes: Vec<_> = (0..3).map(|line| answer.body["lines"][line]["code"].clone()).collect();
    assert_eq!(codes, ["malformed-body", "validation-failed", "sku-taken"]);
    assert!(answer.body["lines"][1]["reason"].as_str().unwrap().contains("/sku"));
}

#[tokio::test]
async fn a_batch_larger_than_what_runs_at_once_keeps_its_order() {
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
    let call = || Call::post_raw("/api/admin/import/products", product("heart", 1).to_string());
    shop.send(call()).await.refused(401, "unauthenticated");
    shop.customer("ada", call()).await.refused(403, "forbidden");
}
