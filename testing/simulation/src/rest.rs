//! The end of a run: everything that was begun comes to its end, and all that must hold then does.

use jiff::SignedDuration;
use souk_domain::order::{Draft, OrderCommand};
use souk_domain::payment::PaymentCommand;
use souk_eventsourcing::{Position, StreamName};
use souk_process_managers::ShopCommand;

use crate::world::{ON_HAND, World};

/// The longest that the clock moves at once while a process waits to try something again.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// Steps that a shop without faults takes to come to rest, at most.
const REST_STEPS_MAX: usize = 100_000;

impl World {
    /// No more faults, and everything that was begun comes to its end.
    pub(crate) fn come_to_rest(&mut self) {
        self.with_faults = false;
        if !self.disk.is_open() || self.disk.is_full {
            self.kill();
        }
        self.settle();
        self.check_at_rest();
        // A kill at rest loses nothing, and finds nothing that was forgotten.
        self.kill();
        self.settle();
        self.check_at_rest();
    }

    /// Lets everything happen that waits to happen, without faults.
    pub(crate) fn settle(&mut self) {
        self.with_faults = false;
        for _ in 0..REST_STEPS_MAX {
            if self.is_busy() {
                if !self.work() {
                    // A read or an append that failed waits for its next attempt.
                    self.now =
                        self.next_moment().map_or(self.now, |at| self.now.max(at.min(self.now + PAUSE)));
                }
                continue;
            }
            if (0..self.processes.len()).any(|process| self.decide(process)) {
                continue;
            }
            if let Some(draft) = self.unplaced.pop() {
                self.ask(ShopCommand::Order(draft.order, OrderCommand::Place(Box::new(draft))));
                continue;
            }
            if self.models.position() < self.disk.head() {
                self.fold_models();
                continue;
            }
            if self.tell_of_erasures() {
                continue;
            }
            if let Some(at) = self.next_moment() {
                self.now = self.now.max(at);
                continue;
            }
            if self.see_to_debts() {
                continue;
            }
            return;
        }
        panic!("the shop never comes to rest");
    }

    /// Staff has every refund and void tried again that the provider refused; false when there is none.
    fn see_to_debts(&mut self) -> bool {
        let debts = self.books().debts(&self.orders);
        for (payment, debt) in &debts {
            self.ask(ShopCommand::Payment(*payment, PaymentCommand::RetryDebt { debt: *debt }));
        }
        !debts.is_empty()
    }

    /// Whether something is under way that waits for no timer.
    fn is_busy(&self) -> bool {
        self.disk.has_written()
            || self.disk.has_queued()
            || !self.tasks.is_empty()
            || !self.webhooks.is_empty()
            || self.is_behind()
    }

    fn check_at_rest(&mut self) {
        assert!(self.unanswered.is_empty(), "somebody got no answer: {:?}", self.unanswered);
        self.check_acknowledged();
        self.models.check(&self.disk.synced);
        self.check_books();
        self.check_erasures();
        for (place, event) in self.disk.synced.iter().enumerate() {
            assert_eq!(event.position, Position(place as u64 + 1));
        }
    }

    /// The books balance.
    pub(crate) fn check_books(&self) {
        let placed: Vec<Draft> = self.orders.clone();
        self.books().check(&placed, ON_HAND);
    }

    /// What was said to be done is there, once.
    pub(crate) fn check_acknowledged(&self) {
        for id in &self.acknowledged {
            let count = self.disk.synced.iter().filter(|event| event.event.command_id == *id);
            let streams: Vec<&StreamName> = count.map(|event| &event.stream).collect();
            assert!(!streams.is_empty(), "command {id} was said to be done and is not in the log");
        }
    }
}
