//! Steps that many tests need before the request that they are about.

use serde_json::json;
use souk_domain::OrderId;
use souk_domain::order::{Order, OrderCommand};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, Clock as _, CommandRequest, CorrelationId};
use uuid::Uuid;

use crate::{Call, Shop, product_body};

impl Shop {
    /// Opens a shop that sells the SKU `heart` for 2.55 GBP and `star` for 10.00 GBP.
    pub async fn stocked() -> Self {
        let shop = Self::open().await;
        shop.create_product("heart", 255).await;
        shop.create_product("star", 1000).await;
        shop
    }

    /// Creates a product with one SKU and a price in pence. Returns its id.
    pub async fn create_product(&self, sku: &str, amount: i64) -> String {
        self.admin(Call::post("/api/products", &product_body(sku, amount))).await.done(201).text("id")
    }

    /// Sets the units on hand of a SKU.
    pub async fn set_stock(&self, sku: &str, on_hand: i64) {
        let body = json!({"sku": sku, "onHand": on_hand});
        self.admin(Call::post("/api/inventory/stock", &body)).await.done(200);
    }

    /// Puts one unit of a SKU into the cart of a new guest. Returns the cart token.
    pub async fn guest_cart(&self, sku: &str) -> String {
        let item = Call::post("/api/cart/items", &json!({"sku": sku, "quantity": 1}));
        self.send(item).await.done(200).header("x-cart-token").to_owned()
    }

    /// Places an order of a customer. Returns its id.
    pub async fn place_order(&self, customer: &str, sku: &str, quantity: u32) -> String {
        let body = json!({"lines": [{"sku": sku, "quantity": quantity}], "payment": {"token": "tok_ok"}});
        self.customer(customer, Call::post("/api/orders", &body)).await.done(202).text("id")
    }

    /// Executes a command on an order as the checkout process.
    pub async fn as_checkout(&self, order: &str, command: OrderCommand) {
        let stream = Order::stream(OrderId(order.parse().unwrap()));
        let correlation = CorrelationId::from(Uuid::nil());
        let origin = Origin::new(self.clock.new_id(), Actor::new("process", "checkout"), correlation);
        let request = CommandRequest::new(stream.clone(), command, origin);
        self.ports.aggregates.orders.execute(request).await.unwrap();
        self.ports.settled.observe(&self.events(&stream).await);
    }
}
