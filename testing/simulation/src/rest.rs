//! End of a run: the shop completes all its work without further faults, then all rules are checked.

use jiff::SignedDuration;
use souk_domain::AggregateCommand;
use souk_domain::order::{Draft, Order, OrderCommand};
use souk_domain::payment::{Payment, PaymentCommand};
use souk_eventsourcing::Position;

use crate::world::{ON_HAND, World};

/// Maximum step of the clock while a failed read or append waits for its retry.
const CLOCK_STEP_MAX: SignedDuration = SignedDuration::from_secs(1);
/// Maximum number of steps until a shop without faults is at rest.
const REST_STEPS_MAX: usize = 100_000;

impl World {
    /// Disables faults, lets the shop complete all its work, and checks all rules.
    pub(crate) fn come_to_rest(&mut self) {
        self.with_faults = false;
        if !self.disk.is_open() || self.disk.is_full {
            self.kill();
        }
        self.run_until_idle();
        self.check_at_rest();
        // A kill at rest must lose nothing, and must not reveal work that was left undone.
        self.kill();
        self.run_until_idle();
        self.check_at_rest();
    }

    /// Lets the shop work without faults until it is at rest: no task, no timer, no erasure and no open debt
    /// is left. The clock jumps to each timer.
    pub(crate) fn run_until_idle(&mut self) {
        self.with_faults = false;
        for _ in 0..REST_STEPS_MAX {
            if self.is_busy() {
                if !self.work() {
                    // A read or an append failed and waits for its retry, so the clock moves on.
                    self.now = self
                        .next_wake_up()
                        .map_or(self.now, |at| self.now.max(at.min(self.now + CLOCK_STEP_MAX)));
                }
                continue;
            }
            if (0..self.processes.len()).any(|process| self.decide(process)) {
                continue;
            }
            if let Some(draft) = self.unplaced.pop() {
                self.request(AggregateCommand::Order(
                    Order::stream(draft.order),
                    OrderCommand::Place(Box::new(draft)),
                ));
                continue;
            }
            if self.models.position() < self.disk.head() {
                self.fold_models();
                continue;
            }
            if self.continue_erasure() {
                continue;
            }
            if let Some(at) = self.next_wake_up() {
                self.now = self.now.max(at);
                continue;
            }
            if self.retry_all_debts() {
                continue;
            }
            return;
        }
        panic!("the shop does not come to rest");
    }

    /// Staff retry all refunds and voids that the provider declined. Returns false if there are none.
    fn retry_all_debts(&mut self) -> bool {
        let debts = self.books().debts(&self.orders);
        for (payment, debt) in &debts {
            self.request(AggregateCommand::Payment(
                Payment::stream(*payment),
                PaymentCommand::RetryDebt { debt: *debt },
            ));
        }
        !debts.is_empty()
    }

    /// Returns true if there is work that can be done now, before the next timer.
    fn is_busy(&self) -> bool {
        self.disk.has_written()
            || self.disk.has_queued()
            || !self.tasks.is_empty()
            || !self.webhooks.is_empty()
            || self.is_behind()
    }

    fn check_at_rest(&mut self) {
        assert!(self.unanswered.is_empty(), "requests without an answer: {:?}", self.unanswered);
        self.check_acknowledged();
        self.models.check(&self.disk.synced);
        self.check_books();
        self.check_erasures();
        for (index, event) in self.disk.synced.iter().enumerate() {
            assert_eq!(event.position, Position(index as u64 + 1));
        }
    }

    /// Checks that stock and money match the orders.
    pub(crate) fn check_books(&self) {
        let placed: Vec<Draft> = self.orders.clone();
        self.books().check_at_rest(&placed, ON_HAND);
    }

    /// Checks that each acknowledged command has an event in the log.
    pub(crate) fn check_acknowledged(&self) {
        for id in &self.acknowledged {
            let is_in_log = self.disk.synced.iter().any(|event| event.event.command_id == *id);
            assert!(is_in_log, "command {id} was acknowledged, but is not in the log");
        }
    }
}
