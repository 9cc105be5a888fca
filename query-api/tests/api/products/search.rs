//! Texts and categories that find a product in a list although they are spelled in another way.

use souk_http_shop::{Call, Shop, content};

use crate::products::{names, shop_with_products};

// Proves: products.product-search-spelling
#[tokio::test]
async fn extra_spaces_do_not_hide_a_product_from_search() {
    let shop = shop_with_products().await;
    shop.append_product(50, content("Garden  chair, solid oak", "home", &[("CHAIR", 900)])).await;
    shop.project().await;
    for q in ["garden%20chair", "garden%20%20chair", "oak%20", "%20Garden%C2%A0chair%20"] {
        assert_eq!(names(&shop, &format!("q={q}")).await, ["Garden  chair, solid oak"], "{q}");
    }
    let all = names(&shop, "").await;
    assert_eq!(names(&shop, "q=%20").await, all, "a search for spaces finds all products");
    assert!(all.len() > 5);
}

// Proves: products.product-search-spelling
#[tokio::test]
async fn a_category_is_found_despite_other_case_spaces_and_slashes() {
    let shop = Shop::open().await;
    // Older events have the category as it was typed.
    for (number, category) in (1..).zip(["garden/tools", "/garden/tools/", "Garden / Tools", "gardening"]) {
        shop.append_product(number, content(category, category, &[(&format!("S{number}"), 100)])).await;
    }
    shop.project().await;
    for query in ["garden/tools", "/garden/tools/", "GARDEN/Tools", "%20garden%20/tools", "garden"] {
        assert_eq!(names(&shop, &format!("category={query}")).await.len(), 3, "{query}");
    }
    let response = shop.send(Call::get("/api/products?category=garden")).await;
    assert_eq!(response.items("category"), ["garden/tools"; 3]);
}

// Proves: products.product-search-spelling
#[tokio::test]
async fn texts_are_found_in_any_case_and_unicode_form() {
    let shop = Shop::open().await;
    for (number, name) in (1..).zip(["Café", "φως", "Áugusta", "Zebra", "apple"]) {
        shop.append_product(number, content(name, "", &[(&format!("S{number}"), 100)])).await;
    }
    shop.project().await;
    assert_eq!(names(&shop, "q=Cafe%CC%81").await, ["Café"]);
    assert_eq!(names(&shop, "q=%CE%A6%CE%A9%CE%A3").await, ["φως"]);
    assert_eq!(names(&shop, "q=%C3%A1UG").await, ["Áugusta"]);
    assert_eq!(names(&shop, "sort=name").await, ["apple", "Áugusta", "Café", "Zebra", "φως"]);
}
