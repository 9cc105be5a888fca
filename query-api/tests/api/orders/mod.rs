//! Tests of `/api/orders/…`.

mod get;
mod list;
mod lookup;
mod notes;
mod owner;
mod sales;

use souk_domain::order::event::PaymentAwaited;
use souk_domain::order::{Draft, Order, OrderEvent};
use souk_http_shop::{Shop, draft, later, order_id};

/// A shop with eight orders, placed a minute apart. Odd numbers are Ada's orders, even numbers Bob's.
pub(crate) async fn shop_with_orders() -> Shop {
    let shop = Shop::open().await;
    for number in 1..=8 {
        let buyer = if number % 2 == 1 { "ada" } else { "bob" };
        let placed_at = later(i64::try_from(number).unwrap());
        shop.append_order(Draft { placed_at, ..draft(number, Some(buyer), &["A1", "B2"]) }).await;
    }
    for number in [2, 3] {
        shop.append(&Order::stream(order_id(number)), OrderEvent::from(PaymentAwaited {})).await;
    }
    shop.project().await;
    shop
}
