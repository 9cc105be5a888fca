//! Webhooks about payments that nobody here knows: kept, so that nothing the provider said is lost.
//!
//! The stream is that of the provider's payment id. Each of the provider's events is kept once.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod rejection;
pub mod state;

pub use command::WebhookCommand;
pub use event::WebhookEvent;
pub use rejection::WebhookRejection;
pub use state::WebhookState;

use souk_eventsourcing::{Context, Decider};

/// The aggregate.
#[derive(Debug)]
pub struct Webhook;

impl Decider for Webhook {
    const CATEGORY: &'static str = "webhook";
    type State = WebhookState;
    type Command = WebhookCommand;
    type Event = WebhookEvent;
    type Rejection = WebhookRejection;

    fn decide(
        state: &WebhookState,
        command: &WebhookCommand,
        _: &Context,
    ) -> Result<Vec<WebhookEvent>, WebhookRejection> {
        decide::decide(state, command)
    }

    fn evolve(state: WebhookState, event: &WebhookEvent) -> WebhookState {
        evolve::evolve(state, event)
    }
}

#[cfg(test)]
mod tests;
