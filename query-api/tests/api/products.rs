use serde_json::json;
use souk_domain::Currency;
use souk_domain::product::event::{Attribute, AttributeKind, Withdrawn};
use souk_domain::product::{Content, Product, ProductEvent};
use souk_http::Role;

use crate::shop::{Shop, content, fields, product};

/// A shop with seven products in several categories. Number 3 is inactive. Only the variants A1 and F2 are in
/// stock.
async fn shop_with_products() -> Shop {
    let mut shop = Shop::open().await;
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
        shop.create_product(number, Content { active, ..one }).await;
    }
    shop.count_stock("A1", 5).await;
    shop.count_stock("F2", 1).await;
    shop.count_stock("B1", 0).await;
    shop.project().await;
    shop
}

async fn names(shop: &Shop, query: &str) -> Vec<String> {
    let response = shop.get(&format!("/api/products?{query}")).send().await;
    assert_eq!(response.status, 200, "{:?}", response.json);
    response.items("name")
}

#[tokio::test]
async fn a_product_shows_the_available_units_of_each_variant() {
    let mut shop = Shop::open().await;
    let attribute =
        |name: &str, kind, value: &str| Attribute { name: name.into(), kind, value: value.into() };
    let attributes = vec![
        attribute("colour", AttributeKind::Text, "white"),
        attribute("fragile", AttributeKind::Boolean, "true"),
        attribute("weight", AttributeKind::Number, "1.5"),
    ];
    let lamp = content("Lamp", "home/lighting", &[("A1", 255), ("A2", 300)]);
    shop.create_product(1, Content { attributes, ..lamp }).await;
    shop.count_stock("A1", 7).await;
    shop.append_noted(&Product::stream(product(1))).await;
    shop.project().await;
    let id = product(1).to_string();
    let response = shop.get(&format!("/api/products/{id}")).send().await;
    assert_eq!(response.headers["etag"], "\"1\"");
    let variant = |sku: &str, amount: i64, available: i64| json!({"sku": sku, "options": {}, "price": {"amount": amount, "currency": "GBP"}, "images": [], "available": available});
    let expected = json!({
        "id": id, "name": "Lamp", "description": "", "category": "home/lighting",
        "attributes": {"colour": "white", "fragile": true, "weight": 1.5}, "active": true,
        "variants": [variant("A1", 255, 7), variant("A2", 300, 0)],
        "createdAt": "2026-11-21T12:01:00Z", "updatedAt": "2026-11-21T12:01:00Z",
        "revision": 1, "position": "3",
    });
    assert_eq!(response.json, expected);
    let listed = shop.get("/api/products").send().await;
    assert_eq!(listed.json, json!({"items": [expected], "nextCursor": null, "position": "3"}));
}

#[tokio::test]
async fn customers_do_not_find_withdrawn_unknown_or_inactive_products() {
    let mut shop = shop_with_products().await;
    let withdrawn = ProductEvent::from(Withdrawn { removed_skus: Vec::new() });
    shop.append_event(&Product::stream(product(1)), withdrawn).await;
    shop.project().await;
    for number in [1, 3, 99] {
        shop.get(&format!("/api/products/{}", product(number))).send().await.assert_problem(404, "not-found");
    }
    shop.get("/api/products/nonsense").send().await.assert_problem(404, "not-found");
    let hidden = shop.get(&format!("/api/products/{}", product(3))).token(Role::Admin, "ops").send().await;
    assert_eq!(hidden.json["active"], false);
    assert!(!names(&shop, "").await.contains(&"Zinc lamp".to_owned()));
}

#[tokio::test]
async fn only_admins_see_inactive_products_in_lists() {
    let shop = shop_with_products().await;
    assert_eq!(names(&shop, "q=hidden").await, [] as [&str; 0]);
    assert_eq!(names(&shop, "q=hidden&active=false").await, [] as [&str; 0]);
    let all = shop.get("/api/products?q=hidden").token(Role::Admin, "ops").send().await;
    assert_eq!(all.items("name"), ["Hidden lamp"]);
    let inactive = shop.get("/api/products?active=false").token(Role::Admin, "ops").send().await;
    assert_eq!(inactive.items("name"), ["Hidden lamp"]);
}

#[tokio::test]
async fn products_are_filtered() {
    let shop = shop_with_products().await;
    assert_eq!(names(&shop, "category=home&sort=name").await, ["apple lamp", "Émile's LAMP", "Zinc lamp"]);
    assert_eq!(names(&shop, "category=kitchen/plates").await, ["Plate"]);
    assert_eq!(names(&shop, "category=home%25").await, [] as [&str; 0]);
    assert_eq!(names(&shop, "q=LAMP&sort=name").await, ["apple lamp", "Émile's LAMP", "Zinc lamp"]);
    assert_eq!(names(&shop, "q=%C3%A9mile").await, ["Émile's LAMP"]);
    assert_eq!(names(&shop, "q=d2").await, ["Mug"]);
    assert_eq!(names(&shop, "q=0%25").await, ["100% wool_rug"]);
    assert_eq!(names(&shop, "q=l_r").await, ["100% wool_rug"]);
    assert_eq!(names(&shop, "minPrice=250&maxPrice=400&sort=name").await, ["apple lamp", "Mug"]);
    assert_eq!(names(&shop, "minPrice=1800").await, ["100% wool_rug"]);
    assert_eq!(names(&shop, "inStock=true&sort=name").await, ["100% wool_rug", "Zinc lamp"]);
    assert_eq!(names(&shop, "inStock=true&maxPrice=900").await, ["Zinc lamp"]);
    assert_eq!(names(&shop, "inStock=false").await.len(), 4);
}

#[tokio::test]
async fn pages_of_every_sort_order_have_all_products_once() {
    let shop = shop_with_products().await;
    let by_name = ["100% wool_rug", "apple lamp", "Émile's LAMP", "Hidden lamp", "Mug", "Plate", "Zinc lamp"];
    let by_price =
        ["Émile's LAMP", "Plate", "apple lamp", "Mug", "Hidden lamp", "Zinc lamp", "100% wool_rug"];
    let newest = ["Émile's LAMP", "100% wool_rug", "Plate", "Mug", "Hidden lamp", "apple lamp", "Zinc lamp"];
    let reversed = |names: [&'static str; 7]| names.into_iter().rev().collect::<Vec<_>>();
    for (sort, expected) in [
        ("name", by_name.to_vec()),
        ("-name", reversed(by_name)),
        ("price", by_price.to_vec()),
        ("-price", reversed(by_price)),
        ("newest", newest.to_vec()),
    ] {
        let pages = shop.pages(&format!("/api/products?sort={sort}"), Role::Admin).await;
        assert_eq!(fields(&pages, "name"), expected, "{sort}");
    }
}

#[tokio::test]
async fn a_product_created_during_paging_does_not_shift_or_repeat_other_products() {
    let mut shop = shop_with_products().await;
    let first = shop.get("/api/products?limit=2").send().await;
    shop.create_product(8, content("New", "home", &[("NEW", 1)])).await;
    shop.project().await;
    let cursor = first.json["nextCursor"].as_str().unwrap();
    let second = shop.get(&format!("/api/products?limit=2&cursor={cursor}")).send().await;
    assert_eq!(first.items("name"), ["Émile's LAMP", "100% wool_rug"]);
    assert_eq!(second.items("name"), ["Plate", "Mug"]);
}

#[tokio::test]
async fn invalid_parameters_are_rejected() {
    let shop = shop_with_products().await;
    let cursor =
        shop.get("/api/products?limit=2").send().await.json["nextCursor"].as_str().unwrap().to_owned();
    let of_another_sort = format!("sort=name&cursor={cursor}");
    for query in [
        "limit=0",
        "limit=101",
        "sort=size",
        "colour=red",
        "minPrice=x",
        "cursor=zzz",
        "q=%C3%28",
        "q=%ff",
        &of_another_sort,
    ] {
        shop.get(&format!("/api/products?{query}")).send().await.assert_problem(400, "invalid-parameter");
    }
    let long = "x".repeat(201);
    shop.get(&format!("/api/products?q={long}")).send().await.assert_problem(400, "invalid-parameter");
}

#[tokio::test]
async fn rejections_of_prices_and_limits_say_what_is_allowed() {
    let shop = shop_with_products().await;
    for (query, hint) in [
        ("minPrice=12.50", "a whole number in minor units"),
        ("maxPrice=-1", "from 0 to"),
        ("minPrice=", "a whole number in minor units"),
        ("limit=x", "a whole number from 1 to 100"),
        ("limit=-1", "a whole number from 1 to 100"),
        ("minPrice=5&maxPrice=4", "not higher than `maxPrice`"),
    ] {
        let response = shop.get(&format!("/api/products?{query}")).send().await;
        response.assert_problem(400, "invalid-parameter");
        let detail = response.json["detail"].as_str().unwrap();
        assert!(detail.contains(hint), "{query}: {detail}");
    }
    assert_eq!(names(&shop, "minPrice=1900&maxPrice=1900").await, ["100% wool_rug"]);
}

#[tokio::test]
async fn extra_spaces_do_not_hide_a_product_from_search() {
    let mut shop = shop_with_products().await;
    shop.create_product(50, content("Garden  chair, solid oak", "home", &[("CHAIR", 900)])).await;
    shop.project().await;
    for q in ["garden%20chair", "garden%20%20chair", "oak%20", "%20Garden%C2%A0chair%20"] {
        assert_eq!(names(&shop, &format!("q={q}")).await, ["Garden  chair, solid oak"], "{q}");
    }
    let all = names(&shop, "").await;
    assert_eq!(names(&shop, "q=%20").await, all, "a search for spaces finds all products");
    assert!(all.len() > 5);
}

#[tokio::test]
async fn a_category_is_found_despite_other_case_spaces_and_slashes() {
    let mut shop = Shop::open().await;
    // Older events have the category as it was typed.
    for (number, category) in (1..).zip(["garden/tools", "/garden/tools/", "Garden / Tools", "gardening"]) {
        shop.create_product(number, content(category, category, &[(&format!("S{number}"), 100)])).await;
    }
    shop.project().await;
    for query in ["garden/tools", "/garden/tools/", "GARDEN/Tools", "%20garden%20/tools", "garden"] {
        assert_eq!(names(&shop, &format!("category={query}")).await.len(), 3, "{query}");
    }
    let response = shop.get("/api/products?category=garden").send().await;
    assert_eq!(response.items("category"), ["garden/tools"; 3]);
}

#[tokio::test]
async fn texts_are_found_in_any_case_and_unicode_form() {
    let mut shop = Shop::open().await;
    for (number, name) in (1..).zip(["Café", "φως", "Áugusta", "Zebra", "apple"]) {
        shop.create_product(number, content(name, "", &[(&format!("S{number}"), 100)])).await;
    }
    shop.project().await;
    assert_eq!(names(&shop, "q=Cafe%CC%81").await, ["Café"]);
    assert_eq!(names(&shop, "q=%CE%A6%CE%A9%CE%A3").await, ["φως"]);
    assert_eq!(names(&shop, "q=%C3%A1UG").await, ["Áugusta"]);
    assert_eq!(names(&shop, "sort=name").await, ["apple", "Áugusta", "Café", "Zebra", "φως"]);
}

#[tokio::test]
async fn prices_are_compared_within_one_currency() {
    let mut shop = Shop::open().await;
    let pounds = content("Pounds", "", &[("P1", 500)]);
    let yen = content("Yen", "", &[("Y1", 300)]);
    shop.create_product(1, pounds).await;
    let mut yen = yen;
    yen.variants[0].price.currency = Currency::JPY;
    shop.create_product(2, yen).await;
    shop.create_product(3, content("Pence", "", &[("P2", 200)])).await;
    shop.project().await;
    assert_eq!(names(&shop, "minPrice=100&maxPrice=400").await, ["Pence"]);
    assert_eq!(names(&shop, "minPrice=100&currency=JPY").await, ["Yen"]);
    assert_eq!(names(&shop, "sort=price").await, ["Pence", "Pounds"]);
    assert_eq!(names(&shop, "sort=-price").await, ["Pounds", "Pence"]);
    assert_eq!(names(&shop, "sort=price&currency=JPY").await, ["Yen"]);
    assert_eq!(names(&shop, "currency=JPY").await.len(), 3, "a currency alone filters nothing");
    shop.get("/api/products?currency=POUND").send().await.assert_problem(400, "invalid-parameter");
    let page = shop.get("/api/products?sort=price&limit=1").send().await;
    let cursor = page.json["nextCursor"].as_str().unwrap();
    let other = format!("/api/products?sort=price&limit=1&currency=JPY&cursor={cursor}");
    shop.get(&other).send().await.assert_problem(400, "invalid-parameter");
}
