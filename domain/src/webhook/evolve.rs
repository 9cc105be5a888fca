//! What an event makes of kept webhooks.

use super::event::WebhookEvent;
use super::state::WebhookState;

/// The state after an event.
pub fn evolve(mut state: WebhookState, event: &WebhookEvent) -> WebhookState {
    let WebhookEvent::Kept(event) = event;
    state.kept.insert(event.event_id.clone());
    state
}
