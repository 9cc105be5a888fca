//! Tests of `/api/orders/…`.

mod from_cart;
mod fulfilment;
mod notes;
mod owner;
mod place;

use souk_domain::order::OrderCommand;
use souk_http_shop::Shop;

pub(crate) async fn confirmed(shop: &Shop) -> String {
    let id = shop.place_order("ada", "heart", 2).await;
    shop.as_checkout(&id, OrderCommand::AwaitPayment).await;
    shop.as_checkout(&id, OrderCommand::Confirm { paid_outside: false }).await;
    id
}
