use crate::shop::Shop;

#[tokio::test]
async fn every_read_is_in_the_api_description() {
    let mut documented = Shop::open().await.documented;
    documented.sort_unstable();
    let expected = [
        "/api/admin/correlations/{id}",
        "/api/admin/parked",
        "/api/admin/projections",
        "/api/admin/streams/{stream}",
        "/api/cart",
        "/api/inventory/stock",
        "/api/inventory/stock/{sku}",
        "/api/orders",
        "/api/orders/admin/sales",
        "/api/orders/lookup",
        "/api/orders/{id}",
        "/api/orders/{id}/notes",
        "/api/payments",
        "/api/payments/provider/dead-letters",
        "/api/payments/{id}",
        "/api/products",
        "/api/products/{id}",
        "/api/users/me",
        "/api/users/me/addresses",
        "/api/users/me/export",
        "/api/users/me/preferences",
    ];
    assert_eq!(documented, expected);
}
