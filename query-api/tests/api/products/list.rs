//! Tests of `GET /api/products`.

use souk_domain::Currency;
use souk_http::Role;
use souk_http_shop::{Call, Shop, content, fields};

use crate::products::{names, shop_with_products};

// Proves: products.hidden-products
#[tokio::test]
async fn only_admins_see_inactive_products_in_lists() {
    let shop = shop_with_products().await;
    assert_eq!(names(&shop, "q=hidden").await, [] as [&str; 0]);
    assert_eq!(names(&shop, "q=hidden&active=false").await, [] as [&str; 0]);
    let all = shop.admin(Call::get("/api/products?q=hidden")).await;
    assert_eq!(all.items("name"), ["Hidden lamp"]);
    let inactive = shop.admin(Call::get("/api/products?active=false")).await;
    assert_eq!(inactive.items("name"), ["Hidden lamp"]);
}

// Proves: products.product-filters
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

// Proves: products.product-filters
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

// Proves: common.stable-paging
#[tokio::test]
async fn a_product_created_during_paging_does_not_shift_or_repeat_other_products() {
    let shop = shop_with_products().await;
    let first = shop.send(Call::get("/api/products?limit=2")).await;
    shop.append_product(8, content("New", "home", &[("NEW", 1)])).await;
    shop.project().await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = shop.send(Call::get(&format!("/api/products?limit=2&cursor={cursor}"))).await;
    assert_eq!(first.items("name"), ["Émile's LAMP", "100% wool_rug"]);
    assert_eq!(second.items("name"), ["Plate", "Mug"]);
}

#[tokio::test]
async fn invalid_parameters_are_rejected() {
    let shop = shop_with_products().await;
    let cursor =
        shop.send(Call::get("/api/products?limit=2")).await.body["nextCursor"].as_str().unwrap().to_owned();
    let of_another_sort = format!("sort=name&cursor={cursor}");
    for query in [
        "limit=0",
        "limit=101",
        "sort=size",
        "colour=red",
        "colour=",
        "category=",
        "q=",
        "q",
        "cursor=",
        "minPrice=x",
        "cursor=zzz",
        "q=%C3%28",
        "q=%ff",
        &of_another_sort,
    ] {
        shop.send(Call::get(&format!("/api/products?{query}"))).await.refused(400, "invalid-parameter");
    }
    let long = "x".repeat(201);
    shop.send(Call::get(&format!("/api/products?q={long}"))).await.refused(400, "invalid-parameter");
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
        let response = shop.send(Call::get(&format!("/api/products?{query}"))).await;
        let detail = response.refused(400, "invalid-parameter").text("detail");
        assert!(detail.contains(hint), "{query}: {detail}");
    }
    assert_eq!(names(&shop, "minPrice=1900&maxPrice=1900").await, ["100% wool_rug"]);
}

// Proves: products.product-filters
#[tokio::test]
async fn prices_are_compared_within_one_currency() {
    let shop = Shop::open().await;
    let pounds = content("Pounds", "", &[("P1", 500)]);
    let yen = content("Yen", "", &[("Y1", 300)]);
    shop.append_product(1, pounds).await;
    let mut yen = yen;
    yen.variants[0].price.currency = Currency::JPY;
    shop.append_product(2, yen).await;
    shop.append_product(3, content("Pence", "", &[("P2", 200)])).await;
    shop.project().await;
    assert_eq!(names(&shop, "minPrice=100&maxPrice=400").await, ["Pence"]);
    assert_eq!(names(&shop, "minPrice=100&currency=JPY").await, ["Yen"]);
    assert_eq!(names(&shop, "sort=price").await, ["Pence", "Pounds"]);
    assert_eq!(names(&shop, "sort=-price").await, ["Pounds", "Pence"]);
    assert_eq!(names(&shop, "sort=price&currency=JPY").await, ["Yen"]);
    assert_eq!(names(&shop, "currency=JPY").await, ["Yen"]);
    assert_eq!(names(&shop, "").await.len(), 3, "without prices, all currencies are listed");
    shop.send(Call::get("/api/products?currency=POUND")).await.refused(400, "invalid-parameter");
    let page = shop.send(Call::get("/api/products?sort=price&limit=1")).await;
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let other = format!("/api/products?sort=price&limit=1&currency=JPY&cursor={cursor}");
    shop.send(Call::get(&other)).await.refused(400, "invalid-parameter");
}
