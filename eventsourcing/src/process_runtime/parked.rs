//! What is parked in a process: events that wait, entities tried again, events skipped.

use jiff::Timestamp;

use crate::envelope::RecordedEvent;
use crate::parking::{Entity, Parked, Poison, Skip, caught};
use crate::process::{Process, Taken};

use super::{ProcessError, ProcessRuntime};

impl<P: Process> ProcessRuntime<P> {
    /// Takes in an event; when it had to wait for a parked entity, only as far as it concerns that one.
    pub(super) fn take_in(
        &mut self,
        recorded: &RecordedEvent,
        waited: Option<&Parked>,
    ) -> Result<(), ProcessError> {
        let concerns = |id: &str| waited.is_none_or(|parked| parked.keys.iter().any(|key| key == id));
        if recorded.event_type() == P::TRANSITION {
            let id = recorded.stream.id();
            return if !concerns(id) || self.waits(id, recorded) {
                Ok(())
            } else {
                self.on_transition(recorded)
            };
        }
        if let Some((id, output)) = self.answered_by(recorded).filter(|(id, _)| concerns(id))
            && !self.waits(&id, recorded)
        {
            self.on_answer(recorded, &id, output);
        }
        self.on_event(recorded, waited)
    }

    /// Has an event wait when its instance is parked.
    pub(super) fn waits(&mut self, id: &str, recorded: &RecordedEvent) -> bool {
        let entity = self.parking.holds_key(id, recorded);
        entity.map(|entity| self.parking.wait(entity, recorded.position)).is_some()
    }

    pub(super) fn poisoned(entity: Entity, recorded: &RecordedEvent, reason: &str) -> ProcessError {
        let poison = Box::new(Poison::new(entity, recorded, reason));
        ProcessError::Poisoned { process: P::NAME, poison }
    }

    /// What a process did itself is never passed over.
    pub(super) fn unskippable(entity: Entity, recorded: &RecordedEvent, reason: &str) -> ProcessError {
        let mut poison = Box::new(Poison::new(entity, recorded, reason));
        poison.can_be_skipped = false;
        ProcessError::Poisoned { process: P::NAME, poison }
    }

    /// An event that is passed over from now on.
    pub fn skip(&mut self, skip: Skip) {
        if let Some(instance) = skip.key.as_ref().and_then(|id| self.instances.get_mut(id)) {
            let is_it = |taken: &Taken| {
                taken.stream.as_ref() == Some(&skip.stream) && taken.revision == Some(skip.revision.0)
            };
            instance.waiting.retain(|waiting| !is_it(&waiting.taken));
        }
        self.parking.skip(skip);
    }

    /// How many entities are parked.
    pub fn parked_count(&self) -> usize {
        self.parking.count()
    }

    /// Parks an entity: its instances take nothing in and decide nothing until they are released.
    pub fn park(&mut self, parked: Parked) {
        self.parking.park(parked);
    }

    /// An entity that is parked.
    pub fn parked(&self, entity: &Entity) -> Option<&Parked> {
        self.parking.get(entity)
    }

    /// Releases an entity and takes in the events that waited for it. At one that still can't be taken in
    /// it is parked again, and what comes behind waits on.
    pub fn retry(
        &mut self,
        entity: &Entity,
        waited: &[RecordedEvent],
        now: Timestamp,
    ) -> Result<(), ProcessError> {
        let Some(parked) = self.parking.get(entity).cloned() else { return Ok(()) };
        self.parking.release(entity);
        for id in &parked.keys {
            self.touch(id);
        }
        for (place, recorded) in waited.iter().enumerate() {
            let Err(error) = self.take_in(recorded, Some(&parked)) else { continue };
            if let ProcessError::Poisoned { poison, .. } = &error {
                self.parking.park(Parked {
                    poison: Poison { entity: entity.clone(), ..Poison::clone(poison) },
                    keys: parked.keys.clone(),
                    since: now,
                });
            }
            for recorded in &waited[place..] {
                self.parking.wait(entity.clone(), recorded.position);
            }
            return Err(error);
        }
        Ok(())
    }

    /// The instance that an event is for; none when it can't be read.
    pub fn instance_of(&self, recorded: &RecordedEvent) -> Option<String> {
        if !self.takes.contains(recorded.event_type()) {
            return None;
        }
        caught(|| P::read(recorded)).ok()?.ok()?.map(|incoming| incoming.instance)
    }
}
