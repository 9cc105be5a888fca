//! Those who wait for an order to settle.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use souk_eventsourcing::RecordedEvent;
use tokio::sync::watch;

/// Orders that somebody waits for, by the id of their stream.
#[derive(Default)]
pub struct SettledOrders {
    watched: Mutex<HashMap<String, watch::Sender<bool>>>,
}

impl SettledOrders {
    /// The events that settle an order.
    pub fn takes() -> [&'static str; 3] {
        ["order.confirmed", "order.cancelled", "order.timed-out"]
    }

    /// Watches an order; to be called before it is placed.
    pub fn watch(&self, order: &str) -> watch::Receiver<bool> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.entry(order.to_owned()).or_insert_with(|| watch::channel(false).0).subscribe()
    }

    /// Nobody waits for the order any more, unless others do.
    pub fn forget(&self, order: &str) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.get(order).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(order);
        }
    }

    /// Takes in events of the log.
    pub fn observe(&self, events: &[RecordedEvent]) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            if let Some(sender) = watched.get(event.stream.id()) {
                sender.send_replace(true);
            }
        }
    }
}
