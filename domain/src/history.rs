//! Runs an aggregate through a sequence of commands, for the property tests.

use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::testkit::{context, fold, noon, sealed};
use souk_eventsourcing::{Actor, CorrelationId, Decider, EventPayload, NewEvent, StreamName};
use uuid::Uuid;

/// An aggregate, and the events that its commands have caused so far.
pub(crate) struct History<D: Decider> {
    pub(crate) state: D::State,
    events: Vec<D::Event>,
}

impl<D: Decider> Default for History<D> {
    fn default() -> Self {
        Self { state: D::State::default(), events: Vec::new() }
    }
}

impl<D: Decider> History<D> {
    /// Sends the command with number `n`. Returns its events, which the state has then seen.
    pub(crate) fn send(&mut self, n: u128, command: &D::Command) -> Result<Vec<D::Event>, D::Rejection> {
        let events = D::decide(&self.state, command, &context(n, noon()))?;
        self.state = events.iter().fold(std::mem::take(&mut self.state), D::evolve);
        self.events.extend(events.iter().cloned());
        Ok(events)
    }

    /// Returns true if the command would append nothing: it changes nothing, or it is refused.
    pub(crate) fn is_unchanged_by(&self, n: u128, command: &D::Command) -> bool {
        D::decide(&self.state, command, &context(n, noon())).map_or(true, |events| events.is_empty())
    }

    /// Returns the state that a restarted shop computes from its log, which stores personal data sealed.
    pub(crate) fn state_after_restart(&self) -> D::State {
        let origin = Origin::new(Uuid::nil(), Actor::new("test", "x"), CorrelationId::from(Uuid::nil()));
        let stream = StreamName::new(D::CATEGORY, "x");
        let events = (0..).zip(&self.events).map(|(n, event)| origin.envelope(&stream, n, event, noon()));
        let read = |event: &NewEvent| {
            D::Event::decode(&event.event_type, event.schema_version, &event.data)
                .expect("an event can be decoded as it was encoded")
        };
        fold::<D>(&sealed(events.collect()).iter().map(read).collect::<Vec<_>>())
    }
}
