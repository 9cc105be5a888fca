//! Those who wait for an order to settle.
//!
//! Whoever waits holds a [`Watch`]; the last one that goes takes the order off the list, so that nothing
//! is left behind by a client that hangs up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use souk_domain::OrderId;
use souk_eventsourcing::RecordedEvent;
use tokio::sync::watch;

/// Orders that somebody waits for.
#[derive(Default)]
pub struct SettledOrders {
    /// By the id of the order's stream.
    watched: Mutex<HashMap<String, watch::Sender<bool>>>,
}

/// Tells when one order settles.
pub struct Watch {
    orders: Arc<SettledOrders>,
    order: String,
    receiver: Option<watch::Receiver<bool>>,
}

impl SettledOrders {
    /// The events that settle an order.
    pub fn takes() -> [&'static str; 3] {
        ["order.confirmed", "order.cancelled", "order.timed-out"]
    }

    /// Watches an order; to be called before it is placed, or before looking where it stands.
    pub fn watch(self: &Arc<Self>, order: OrderId) -> Watch {
        let order = order.to_string();
        let receiver =
            self.lock().entry(order.clone()).or_insert_with(|| watch::channel(false).0).subscribe();
        Watch { orders: Arc::clone(self), order, receiver: Some(receiver) }
    }

    /// Takes in events of the log.
    pub fn observe(&self, events: &[RecordedEvent]) {
        let watched = self.lock();
        for event in events.iter().filter(|event| Self::takes().contains(&event.event_type())) {
            if let Some(sender) = watched.get(event.stream.id()) {
                sender.send_replace(true);
            }
        }
    }

    /// A map of senders is whole at every moment, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<bool>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Ends when the order has settled since the watch began.
    pub async fn settled(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            // The sender stays while somebody watches.
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

    #[tokio::test]
    async fn a_watch_ends_with_the_event_and_leaves_nothing_behind() {
        let (orders, order) = (Arc::new(SettledOrders::default()), OrderId(Uuid::from_u128(1)));
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
