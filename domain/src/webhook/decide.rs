//! What becomes of a command to kept webhooks.

use super::command::WebhookCommand;
use super::event::{Kept, Settled, WebhookEvent};
use super::rejection::WebhookRejection;
use super::state::{KEPT_MAX, WebhookState};

/// Decides a command.
pub fn decide(state: &WebhookState, command: &WebhookCommand) -> Result<Vec<WebhookEvent>, WebhookRejection> {
    match command {
        WebhookCommand::Keep { event_id, .. } if state.seen.contains_key(event_id) => Ok(Vec::new()),
        WebhookCommand::Keep { .. } if state.seen.len() >= KEPT_MAX => Err(WebhookRejection::TooMany),
        WebhookCommand::Keep { event_id, kind, refund_id, created_at } => {
            let (event_id, kind, refund_id) = (event_id.clone(), kind.clone(), refund_id.clone());
            Ok(vec![Kept { event_id, kind, refund_id, created_at: *created_at }.into()])
        }
        WebhookCommand::Settle { event_id, taken } => {
            let is_open = state.seen.get(event_id).is_some_and(|is_settled| !is_settled);
            let settled = Settled { event_id: event_id.clone(), taken: *taken };
            Ok(if is_open { vec![settled.into()] } else { Vec::new() })
        }
    }
}
