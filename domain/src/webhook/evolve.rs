//! Applies events to the state of stored webhooks.

use super::event::WebhookEvent;
use super::state::WebhookState;

/// Returns the state after an event.
pub fn evolve(mut state: WebhookState, event: &WebhookEvent) -> WebhookState {
    let (event_id, is_settled) = match event {
        WebhookEvent::Stored(event) => (&event.event_id, false),
        WebhookEvent::Settled(event) => (&event.event_id, true),
    };
    state.seen.insert(event_id.clone(), is_settled);
    state
}
