//! Requests that wait until an order settles: until it is confirmed, cancelled or timed out.
//!
//! A waiting request holds a [`Watch`]. Dropping the last watch of an order removes the order from the list,
//! so a client that disconnects leaves nothing behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use souk_domain::OrderId;
use souk_eventsourcing::RecordedEvent;
use tokio::sync::watch;

/// The orders that requests wait for.
#[derive(Default)]
pub struct SettledOrders {
    /// A sender for each order, by the id of the order's stream. It sends true when the order settles.
    watched: Mutex<HashMap<String, watch::Sender<bool>>>,
}

/// A wait for one order to settle.
pub struct Watch {
    orders: Arc<SettledOrders>,
    order: String,
    receiver: Option<watch::Receiver<bool>>,
}

impl SettledOrders {
    /// Returns the types of the events that settle an order.
    pub fn event_types() -> [&'static str; 3] {
        ["order.confirmed", "order.cancelled", "order.timed-out"]
    }

    /// Starts to watch an order. Call it before the order is placed or its status is read, or the event may
    /// be missed.
    pub fn watch(self: &Arc<Self>, order: OrderId) -> Watch {
        let order = order.to_string();
        let receiver =
            self.lock().entry(order.clone()).or_insert_with(|| watch::channel(false).0).subscribe();
        Watch { orders: Arc::clone(self), order, receiver: Some(receiver) }
    }

    /// Notifies the watches of the orders that these events settle.
    pub fn observe(&self, events: &[RecordedEvent]) {
        let watched = self.lock();
        for event in events.iter().filter(|event| Self::event_types().contains(&event.event_type())) {
            if let Some(sender) = watched.get(event.stream.id()) {
                sender.send_replace(true);
            }
        }
    }

    /// Locks the map. A panic of another thread leaves the map usable, since no change to it has two steps.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<bool>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Waits until the order settles. Returns at once if it settled after the watch began.
    pub async fn settled(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            // It can't fail: the sender stays in the map while a watch exists.
            let _ = receiver.wait_for(|settled| *settled).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.orders.lock();
        self.receiver = None;
        if watched.get(&self.order).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(&self.order);
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_domain::order::event::Confirmed;
    use souk_domain::order::{Order, OrderEvent};
    use souk_eventsourcing::envelope::{Actor, Origin};
    use souk_eventsourcing::testkit::noon;
    use souk_eventsourcing::{Position, Revision};
    use uuid::Uuid;

    use super::*;

    fn confirmed(order: OrderId) -> RecordedEvent {
        let stream = Order::stream(order);
        let origin = Origin::new(Uuid::nil(), Actor::new("process", "checkout"), Uuid::nil().into());
        let event = origin.envelope(&stream, 0, &OrderEvent::from(Confirmed { paid_outside: false }), noon());
        RecordedEvent { position: Position(1), stream, revision: Revision(2), event }
    }

    // Proves: orders.waiting
    #[tokio::test]
    async fn a_watch_ends_with_the_settling_event_and_leaves_no_entry() {
        let orders = Arc::new(SettledOrders::default());
        let order = OrderId(Uuid::from_u128(1));
        let mut watch = orders.watch(order);
        let other = orders.watch(order);
        orders.observe(&[confirmed(OrderId(Uuid::from_u128(2))), confirmed(order)]);
        watch.settled().await;
        drop(watch);
        assert_eq!(orders.lock().len(), 1);
        drop(other);
        assert!(orders.lock().is_empty());
    }
}
