//! What becomes of a command to kept webhooks.

use super::command::WebhookCommand;
use super::event::{Kept, WebhookEvent};
use super::rejection::WebhookRejection;
use super::state::{KEPT_MAX, WebhookState};

/// Decides a command.
pub fn decide(state: &WebhookState, command: &WebhookCommand) -> Result<Vec<WebhookEvent>, WebhookRejection> {
    let WebhookCommand::Keep { event_id, kind, created_at } = command;
    if state.kept.contains(event_id) {
        return Ok(Vec::new());
    }
    if state.kept.len() >= KEPT_MAX {
        return Err(WebhookRejection::TooMany);
    }
    Ok(vec![Kept { event_id: event_id.clone(), kind: kind.clone(), created_at: *created_at }.into()])
}
