//! Delivery of the commands of a process to their aggregates.

use souk_domain::payment::PaymentCommand;
use souk_domain::{AggregateCommand, AggregatePorts, for_each_aggregate};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::log_pace::LogPace;
use souk_eventsourcing::process_runtime::CommandAnswer;
use souk_eventsourcing::retry::wait_after;
use souk_eventsourcing::{
    CommandError, CommandPort, CommandRequest, Completion, Decider, Rejection, StreamName,
};

/// Pace of the log line about waiting answers. Thousands of answers may wait for the log at once, and one
/// line is enough for all.
static WAITING_LOG_PACE: LogPace = LogPace::new();

/// Sender of the commands of processes to the aggregates.
#[derive(Clone)]
pub struct CommandSender(pub AggregatePorts);

/// Result of sending a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The command appended an event. The process reads the result from the log.
    InLog,
    /// The command appended no event. This is its answer.
    Answered(CommandAnswer),
    /// The log or the program failed, for this reason. The command must be sent again.
    Again(String),
}

impl CommandSender {
    /// Sends the command once. If the result is [`SendOutcome::Again`], the caller sends it again later: a
    /// command of a process is never given up.
    pub async fn send(&self, command: AggregateCommand, origin: &Origin) -> SendOutcome {
        macro_rules! deliver_to_port {
            ($($port:ident: $name:ident = $aggregate:ty,)*) => {
                match command {
                    $(AggregateCommand::$name(stream, command) => {
                        deliver(&*self.0.$port, stream, command, origin).await
                    })*
                }
            };
        }
        for_each_aggregate!(deliver_to_port)
    }

    /// Sends a command to a payment until it is done or refused, with growing waits between the attempts.
    pub async fn send_payment(
        &self,
        stream: StreamName,
        command: PaymentCommand,
        origin: &Origin,
    ) -> SendOutcome {
        let mut attempt = 1;
        loop {
            let sent = deliver(&*self.0.payments, stream.clone(), command.clone(), origin).await;
            let SendOutcome::Again(why) = sent else { return sent };
            let wait = wait_after(attempt, origin.command_id.0.as_bytes());
            metrics::counter!("souk_payment_provider_answers_retried_total").increment(1);
            if WAITING_LOG_PACE.is_due() {
                tracing::warn!(%stream, attempt, wait_ms = wait.as_millis(), why, "answers of the payment provider are waiting for the log");
            }
            tokio::time::sleep(wait).await;
            attempt = attempt.saturating_add(1);
        }
    }
}

async fn deliver<D: Decider>(
    port: &(impl CommandPort<D> + ?Sized),
    stream: StreamName,
    command: D::Command,
    origin: &Origin,
) -> SendOutcome {
    let request = CommandRequest::new(stream, command, origin.clone()).repeatable();
    match port.execute(request).await {
        Ok(outcome) => completed(outcome.completion),
        Err(CommandError::Rejected(rejection)) => refused(rejection.code(), rejection),
        Err(error @ CommandError::TooLarge { .. }) => refused("too-large", error),
        Err(error @ CommandError::KeyReused) => refused("command-id-reused", error),
        Err(
            error @ (CommandError::Conflict { .. }
            | CommandError::RevisionMismatch { .. }
            | CommandError::Undecided { .. }
            | CommandError::Store(_)),
        ) => SendOutcome::Again(error.to_string()),
    }
}

fn completed(completion: Completion) -> SendOutcome {
    match completion {
        // A repeatable command that changes nothing appends a `noted` event.
        Completion::Appended | Completion::Unchanged => SendOutcome::InLog,
        Completion::Repeated => SendOutcome::Answered(CommandAnswer::Done),
    }
}

fn refused(code: &str, why: impl std::fmt::Display) -> SendOutcome {
    SendOutcome::Answered(CommandAnswer::Refused { code: code.to_owned(), detail: why.to_string() })
}
