//! Sends a process's commands to their aggregates until there is an answer.

use std::sync::Arc;

use souk_domain::ShopCommand;
use souk_domain::cart::Cart;
use souk_domain::order::Order;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::stock::Stock;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::process::ProcessCommand;
use souk_eventsourcing::process_runtime::Answer;
use souk_eventsourcing::retry::wait_after;
use souk_eventsourcing::{
    CommandError, CommandPort, CommandRequest, Completion, Decider, Rejection, StreamName,
};

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
}

impl ShopPorts {
    /// Sends the command again and again, with growing waits, until it is done or refused: a command
    /// that a process decided on is never given up.
    pub async fn send(&self, command: ShopCommand, origin: &Origin) -> Sent {
        let stream = command.stream();
        match command {
            ShopCommand::Cart(_, command) => deliver(&*self.carts, stream, command, origin).await,
            ShopCommand::Order(_, command) => deliver(&*self.orders, stream, command, origin).await,
            ShopCommand::Payment(_, command) => self.send_payment(stream, command, origin).await,
            ShopCommand::Stock(_, command) => deliver(&*self.stock, stream, command, origin).await,
        }
    }

    /// Sends a command to a payment, as [`ShopPorts::send`] does.
    pub async fn send_payment(&self, stream: StreamName, command: PaymentCommand, origin: &Origin) -> Sent {
        deliver(&*self.payments, stream, command, origin).await
    }
}

async fn deliver<D: Decider>(
    port: &dyn CommandPort<D>,
    stream: StreamName,
    command: D::Command,
    origin: &Origin,
) -> Sent {
    let mut attempt = 1;
    loop {
        let request = CommandRequest::new(stream.clone(), command.clone(), origin.clone()).repeatable();
        match port.execute(request).await {
            Ok(outcome) => return completed(outcome.completion),
            Err(CommandError::Rejected(rejection)) => return refused(rejection.code(), &rejection),
            Err(error @ CommandError::TooLarge { .. }) => return refused("too-large", &error),
            Err(error @ CommandError::KeyReused) => return refused("command-id-reused", &error),
            Err(
                error @ (CommandError::Conflict { .. }
                | CommandError::RevisionMismatch { .. }
                | CommandError::Undecided { .. }
                | CommandError::Store(_)),
            ) => {
                let wait = wait_after(attempt, origin.command_id.0.as_bytes());
                tracing::warn!(
                    %stream, attempt, wait_ms = wait.as_millis(), %error, "a process's command is sent again"
                );
                tokio::time::sleep(wait).await;
                attempt = attempt.saturating_add(1);
            }
        }
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
