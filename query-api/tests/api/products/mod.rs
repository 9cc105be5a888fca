//! Tests of `/api/products/…`.

mod get;
mod list;
mod search;

use souk_domain::product::Content;
use souk_http_shop::{Call, Shop, content};

/// A shop with seven products in several categories. Number 3 is inactive. Only the variants A1 and F2 are in
/// stock.
pub(crate) async fn shop_with_products() -> Shop {
    let shop = Shop::open().await;
    let things = [
        ("Zinc lamp", "home/lighting", 700),
        ("apple lamp", "home/lighting", 300),
        ("Hidden lamp", "home/lighting", 500),
        ("Mug", "kitchen", 300),
        ("Plate", "kitchen/plates", 200),
        ("100% wool_rug", "homeware", 900),
        ("Émile's LAMP", "home", 100),
    ];
    for (number, (name, category, price)) in (1..).zip(things) {
        let letter = char::from(b'@' + u8::try_from(number).unwrap());
        let active = number != 3;
        let one =
            content(name, category, &[(&format!("{letter}1"), price), (&format!("{letter}2"), price + 1000)]);
        shop.append_product(number, Content { active, ..one }).await;
    }
    shop.append_count("A1", 5).await;
    shop.append_count("F2", 1).await;
    shop.append_count("B1", 0).await;
    shop.project().await;
    shop
}

pub(crate) async fn names(shop: &Shop, query: &str) -> Vec<String> {
    let response = shop.send(Call::get(&format!("/api/products?{query}"))).await;
    assert_eq!(response.status, 200, "{:?}", response.body);
    response.items("name")
}
