//! Decides commands to stored webhooks.

use super::command::WebhookCommand;
use super::event::{Settled, Stored, WebhookEvent};
use super::rejection::WebhookRejection;
use super::state::{STORED_MAX, WebhookState};

/// Returns the events of a command, or the reason why it is refused.
pub fn decide(state: &WebhookState, command: &WebhookCommand) -> Result<Vec<WebhookEvent>, WebhookRejection> {
    match command {
        WebhookCommand::Store { event_id, .. } if state.seen.contains_key(event_id) => Ok(Vec::new()),
        WebhookCommand::Store { .. } if state.seen.len() >= STORED_MAX => Err(WebhookRejection::TooMany),
        WebhookCommand::Store { event_id, kind, refund_id, created_at } => {
            let stored = Stored {
                event_id: event_id.clone(),
                kind: kind.clone(),
                refund_id: refund_id.clone(),
                created_at: *created_at,
            };
            Ok(vec![stored.into()])
        }
        WebhookCommand::RecordOutcome { event_id, is_applied } => {
            let is_open = state.seen.get(event_id).is_some_and(|is_settled| !is_settled);
            let settled = Settled { event_id: event_id.clone(), is_applied: *is_applied };
            Ok(if is_open { vec![settled.into()] } else { Vec::new() })
        }
    }
}
