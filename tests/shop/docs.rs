//! The page `/docs`, in a real browser.

use souk_servers::load_page;

use super::process::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_api_lists_its_operations() {
    let shop = Shop::start(&[]).await;
    let url = format!("{}/docs", shop.address());
    let page = tokio::task::spawn_blocking(move || load_page(&url)).await.unwrap().unwrap();
    let operation = "<span class=\"method\">POST</span><code>/api/orders</code> Places an order";
    assert!(page.contains(operation), "{page}");
    assert!(!page.contains("Loading"), "{page}");
}
