//! Events that a test appends to the log itself, without a request. [`Shop::project`] applies them to the
//! read models.

use souk_domain::CartId;
use souk_domain::cart::event::{CartLine, ItemAdded};
use souk_domain::cart::{Cart, CartEvent};
use souk_domain::order::event::{Draft, Placed};
use souk_domain::order::{Order, OrderEvent};
use souk_domain::product::event::Created;
use souk_domain::product::{Content, Product, ProductEvent};
use souk_domain::stock::event::Counted;
use souk_domain::stock::{Stock, StockEvent};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::testkit::{noon, sealed};
use souk_eventsourcing::{
    Actor, Append, Clock as _, CorrelationId, EventPayload, EventStore as _, Expected, NewEvent, StreamName,
    Timestamp,
};

use crate::Shop;
use crate::examples::{later, pence, product_id, sku};

impl Shop {
    /// Appends an event with the time noon.
    pub async fn append(&self, stream: &StreamName, event: impl EventPayload) {
        self.append_at(stream, event, noon()).await;
    }

    /// Appends an event with this time.
    pub async fn append_at(&self, stream: &StreamName, event: impl EventPayload, at: Timestamp) {
        let envelope = self.origin().envelope(stream, 0, &event, at);
        self.append_envelope(stream, envelope).await;
    }

    /// Appends an event that belongs to the request with this correlation id.
    pub async fn append_in_request(&self, request: &str, stream: &StreamName, event: impl EventPayload) {
        let origin = Origin { correlation_id: CorrelationId::parse(request).unwrap(), ..self.origin() };
        self.append_envelope(stream, origin.envelope(stream, 0, &event, noon())).await;
    }

    /// Appends the event of a command that had an idempotency key and changed nothing.
    pub async fn append_noted(&self, stream: &StreamName) {
        self.append_envelope(stream, self.origin().noted(stream, noon())).await;
    }

    /// Appends the creation of a product, as many minutes after noon as its number.
    pub async fn append_product(&self, number: u128, content: Content) {
        let stream = Product::stream(product_id(number));
        let created = ProductEvent::from(Created { content });
        self.append_at(&stream, created, later(i64::try_from(number).unwrap())).await;
    }

    /// Appends a count of the stock of a SKU.
    pub async fn append_count(&self, text: &str, on_hand: i64) {
        self.append(&Stock::stream(&sku(text)), StockEvent::from(Counted { on_hand })).await;
    }

    /// Appends the addition of units to a cart. The line belongs to product 1.
    pub async fn append_cart_item(&self, cart: CartId, text: &str, quantity: u32, amount: i64) {
        let line = CartLine { sku: sku(text), product: product_id(1), quantity, unit_price: pence(amount) };
        self.append(&Cart::stream(cart), CartEvent::from(ItemAdded { line, customer: None })).await;
    }

    /// Appends the placing of an order.
    pub async fn append_order(&self, draft: Draft) {
        self.append(&Order::stream(draft.order), OrderEvent::from(Placed { draft })).await;
    }

    fn origin(&self) -> Origin {
        let id = self.clock.new_id();
        Origin::new(id, Actor::new("admin", "ops"), CorrelationId::from(id))
    }

    async fn append_envelope(&self, stream: &StreamName, event: NewEvent) {
        let append = Append { stream: stream.clone(), expected: Expected::Any, events: sealed(vec![event]) };
        self.log.append(append).await.unwrap();
    }
}
