//! Parking in a process: events that wait, entities that are released, and events that are skipped.
//!
//! Invariants: an event for a parked instance waits and does not change the instance. A transition can't be
//! skipped, because it records what the process itself did.
//!
//! On failure: if a waiting event still can't be applied, its entity is parked again, and the event and all
//! later ones keep waiting.

use jiff::Timestamp;

use crate::envelope::RecordedEvent;
use crate::parking::{ApplyFailure, Entity, Parked, Skip, catch_panic};
use crate::process::{Process, RecordedInput};

use super::{ProcessError, ProcessRuntime};

impl<P: Process> ProcessRuntime<P> {
    /// Handles an event. If the event waited for a parked entity, `released` is this entity, and only its
    /// instances take the event in.
    pub(super) fn take_in(
        &mut self,
        recorded: &RecordedEvent,
        released: Option<&Parked>,
    ) -> Result<(), ProcessError> {
        let is_concerned = |id: &str| released.is_none_or(|parked| parked.keys.iter().any(|key| key == id));
        if recorded.event_type() == P::TRANSITION {
            let id = recorded.stream.id();
            return if !is_concerned(id) || self.wait_if_parked(id, recorded) {
                Ok(())
            } else {
                self.on_transition(recorded)
            };
        }
        if let Some((id, output)) = self.output_of_answer(recorded).filter(|(id, _)| is_concerned(id))
            && !self.wait_if_parked(&id, recorded)
        {
            self.on_answer(recorded, &id, output);
        }
        self.on_event(recorded, released)
    }

    /// Makes an event wait if its instance is parked. Returns true if the event waits.
    pub(super) fn wait_if_parked(&mut self, id: &str, recorded: &RecordedEvent) -> bool {
        let entity = self.parking.blocking_key(id, recorded);
        entity.map(|entity| self.parking.wait(entity, recorded.position)).is_some()
    }

    pub(super) fn apply_failed(entity: Entity, recorded: &RecordedEvent, reason: &str) -> ProcessError {
        let failure = Box::new(ApplyFailure::new(entity, recorded, reason));
        ProcessError::ApplyFailed { process: P::NAME, failure }
    }

    /// Makes the error for a transition that can't be applied. Transitions can't be skipped.
    pub(super) fn unskippable(entity: Entity, recorded: &RecordedEvent, reason: &str) -> ProcessError {
        let mut failure = Box::new(ApplyFailure::new(entity, recorded, reason));
        failure.can_be_skipped = false;
        ProcessError::ApplyFailed { process: P::NAME, failure }
    }

    /// Skips an event from now on. If an instance has taken the event in but not used it yet, the
    /// event is removed there.
    pub fn skip(&mut self, skip: Skip) {
        if let Some(instance) = skip.key.as_ref().and_then(|id| self.instances.get_mut(id)) {
            let is_skipped = |input: &RecordedInput| {
                input.stream.as_ref() == Some(&skip.stream) && input.revision == Some(skip.revision.0)
            };
            instance.waiting.retain(|waiting| !is_skipped(&waiting.recorded));
        }
        self.parking.skip(skip);
    }

    /// Number of parked entities.
    pub fn parked_count(&self) -> usize {
        self.parking.count()
    }

    /// Parks an entity. Its instances take in no event and decide no move until the entity is released.
    pub fn park(&mut self, parked: Parked) {
        self.parking.park(parked);
    }

    /// Returns the parking data of an entity; `None` if the entity is not parked.
    pub fn parked(&self, entity: &Entity) -> Option<&Parked> {
        self.parking.get(entity)
    }

    /// Releases an entity and handles the events that waited for it. If one of them still can't be applied,
    /// the entity is parked again, and this event and the later ones keep waiting.
    pub fn retry(
        &mut self,
        entity: &Entity,
        events: &[RecordedEvent],
        now: Timestamp,
    ) -> Result<(), ProcessError> {
        let Some(parked) = self.parking.get(entity).cloned() else { return Ok(()) };
        self.parking.release(entity);
        for id in &parked.keys {
            self.touch(id);
        }
        for (index, recorded) in events.iter().enumerate() {
            let Err(error) = self.take_in(recorded, Some(&parked)) else { continue };
            if let ProcessError::ApplyFailed { failure, .. } = &error {
                self.parking.park(Parked {
                    failure: ApplyFailure { entity: entity.clone(), ..ApplyFailure::clone(failure) },
                    keys: parked.keys.clone(),
                    since: now,
                });
            }
            for recorded in &events[index..] {
                self.parking.wait(entity.clone(), recorded.position);
            }
            return Err(error);
        }
        Ok(())
    }

    /// Returns the id of the instance that an event concerns; `None` if there is none or the event can't be
    /// decoded.
    pub fn instance_of(&self, recorded: &RecordedEvent) -> Option<String> {
        if !self.event_types.contains(recorded.event_type()) {
            return None;
        }
        catch_panic(|| P::read(recorded)).ok()?.ok()?.map(|incoming| incoming.instance)
    }
}
