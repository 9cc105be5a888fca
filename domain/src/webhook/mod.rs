//! Webhooks about payments of the provider that the shop does not know yet. They are stored, so that no
//! report of the provider is lost.
//!
//! There is one stream per payment id of the provider. Each event of the provider is stored once.

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

/// The aggregate: the stored webhooks about one payment of the provider.
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
mod properties;
#[cfg(test)]
mod tests;
