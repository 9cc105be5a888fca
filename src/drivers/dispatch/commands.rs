//! Sends a process's commands to their aggregates until there is an answer.

use std::sync::Arc;

use souk_domain::cart::Cart;
use souk_domain::order::Order;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::stock::Stock;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::log_pace::LogPace;
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::process_runtime::Answer;
use souk_eventsourcing::retry::wait_after;
use souk_eventsourcing::{
    CommandError, CommandPort, CommandRequest, Completion, Decider, Rejection, StreamName,
};
use souk_process_managers::ShopCommand;

/// Thousands of answers may wait for the log at once: one line tells of them all.
static WAITING_SAID: LogPace = LogPace::new();

/// The aggregates that processes command.
#[derive(Clone)]
pub struct ShopPorts {
    /// Carts.
    pub carts: Arc<dyn CommandPort<Cart>>,
    /// Orders.
    pub orders: Arc<dyn CommandPort<Order>>,
    /// Payments.
    pub payments: Arc<dyn CommandPort<Payment>>,
    /// Stock.
    pub stock: Arc<dyn CommandPort<Stock>>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It left an event, which the log will show.
    InLog,
    /// It left none; this is the answer.
    Answered(Answer),
    /// The log or a fault of this program stood in the way: it is to be sent again.
    Again(String),
}

impl ShopPorts {
    /// Sends the command once. One that a process decided on is never given up: its sender tries again what
    /// could not be decided.
    pub async fn send(&self, command: ShopCommand, origin: &Origin) -> Sent {
        let stream = command.stream();
        match command {
            ShopCommand::Cart(_, command) => deliver(&*self.carts, stream, command, origin).await,
            ShopCommand::Order(_, command) => deliver(&*self.orders, stream, command, origin).await,
            ShopCommand::Payment(_, command) => deliver(&*self.payments, stream, command, origin).await,
            ShopCommand::Stock(_, command) => deliver(&*self.stock, stream, command, origin).await,
        }
    }

    /// Sends a command to a payment again and again, with growing waits, until it is done or refused.
    pub async fn send_payment(&self, stream: StreamName, command: PaymentCommand, origin: &Origin) -> Sent {
        let mut attempt = 1;
        loop {
            let sent = deliver(&*self.payments, stream.clone(), command.clone(), origin).await;
            let Sent::Again(why) = sent else { return sent };
            let wait = wait_after(attempt, origin.command_id.0.as_bytes());
            metrics::counter!("souk_payment_provider_answers_retried_total").increment(1);
            if WAITING_SAID.is_due() {
                tracing::warn!(%stream, attempt, wait_ms = wait.as_millis(), why, "answers of the provider wait for the log");
            }
            tokio::time::sleep(wait).await;
            attempt = attempt.saturating_add(1);
        }
    }
}

async fn deliver<D: Decider>(
    port: &dyn CommandPort<D>,
    stream: StreamName,
    command: D::Command,
    origin: &Origin,
) -> Sent {
    let request = CommandRequest::new(stream, command, origin.clone()).repeatable();
    match port.execute(request).await {
        Ok(outcome) => completed(outcome.completion),
        Err(CommandError::Rejected(rejection)) => refused(rejection.code(), &rejection),
        Err(error @ CommandError::TooLarge { .. }) => refused("too-large", &error),
        Err(error @ CommandError::KeyReused) => refused("command-id-reused", &error),
        Err(
            error @ (CommandError::Conflict { .. }
            | CommandError::RevisionMismatch { .. }
            | CommandError::Undecided { .. }
            | CommandError::Store(_)),
        ) => Sent::Again(error.to_string()),
    }
}

fn completed(completion: Completion) -> Sent {
    match completion {
        // A repeatable command that changes nothing leaves a `noted` event.
        Completion::Appended | Completion::Unchanged => Sent::InLog,
        Completion::Repeated => Sent::Answered(Answer::Done),
    }
}

fn refused(code: &str, why: &dyn std::fmt::Display) -> Sent {
    Sent::Answered(Answer::Refused { code: code.to_owned(), detail: why.to_string() })
}
