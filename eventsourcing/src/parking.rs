//! Parked entities: rows, process instances and streams whose next event can't be applied.
//!
//! If applying an event fails, only the entity concerned is parked. All other entities continue. The failed
//! event and all later events for the parked entity wait until the entity is released.
//!
//! Invariants: a waiting event is stored as its position and never as its payload, so a later version of
//! the program can read it from the log. An operator can decide to skip an event. That decision is an event
//! in the log, and a runtime reads all such decisions before it applies any other event.
//!
//! On failure: an entity whose first waiting event still fails is parked again, and its events keep waiting.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::envelope::RecordedEvent;
use crate::id::{Position, Revision, StreamName};

/// Unit that is parked and released as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Entity {
    /// Row of a read model, or instance of a process, by its key.
    Key(String),
    /// Stream with an event that can't be decoded. All rows and instances that the stream has changed are
    /// parked with it.
    Stream(StreamName),
}

impl Entity {
    /// Returns `key` or `stream`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Stream(_) => "stream",
        }
    }

    /// Returns the key or the name of the stream.
    pub fn name(&self) -> &str {
        match self {
            Self::Key(key) => key,
            Self::Stream(stream) => stream.as_str(),
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind(), self.name())
    }
}

/// Failure to apply an event to an entity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entity} can't take {stream} at revision {revision} (position {position}): {reason}")]
pub struct ApplyFailure {
    /// Entity to which the event can't be applied.
    pub entity: Entity,
    /// Stream of the event.
    pub stream: StreamName,
    /// Revision of the event in its stream.
    pub revision: Revision,
    /// Position of the event in the log.
    pub position: Position,
    /// Reason in words, without values of the payload.
    pub reason: String,
    /// True if the entity can continue after an operator skips the event.
    pub can_be_skipped: bool,
}

impl ApplyFailure {
    /// Creates the failure of an event that can be skipped. Removes from `reason` everything that may be a value of the payload.
    pub(crate) fn new(entity: Entity, recorded: &RecordedEvent, reason: &str) -> Self {
        Self {
            entity,
            stream: recorded.stream.clone(),
            revision: recorded.revision,
            position: recorded.position,
            reason: without_values(reason),
            can_be_skipped: true,
        }
    }
}

/// Returns the first line of an error message without values that may come from the payload. Text between
/// the first and the last double quote is replaced. Text in backticks is replaced too, unless it is the name
/// of a field or an event type.
pub(crate) fn without_values(text: &str) -> String {
    let mut line = text.lines().next().unwrap_or_default().to_owned();
    if let (Some(first), Some(last)) = (line.find('"'), line.rfind('"')) {
        line.replace_range(first..=last, "…");
    }
    let mut kept = String::new();
    for (place, part) in line.split('`').enumerate() {
        let is_name = kept.ends_with("field ") || kept.ends_with("payload of ");
        match place % 2 {
            0 => kept.push_str(part),
            _ if is_name => kept.extend(["`", part, "`"]),
            _ => kept.push('…'),
        }
    }
    kept
}

/// Parked entity, with the event that caused the parking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// First event that could not be applied.
    pub failure: ApplyFailure,
    /// Keys of the rows or instances that do not change while the entity is parked.
    pub keys: Vec<String>,
    /// Time at which the entity was parked.
    pub since: Timestamp,
}

/// Decision of an operator that an event is not applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// Stream of the skipped event.
    pub stream: StreamName,
    /// Revision of the skipped event.
    pub revision: Revision,
    /// Key of the only row or instance that skips the event. `None` if all skip it, because the event can't
    /// be decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Change of parked entities and waiting events, to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkingChange {
    /// Entities that were parked since the last change.
    pub parked: Vec<Parked>,
    /// Events that wait since the last change, with their entity. The event that caused the parking is one of
    /// them.
    pub waiting: Vec<(Entity, Position)>,
    /// Entities that were released since the last change. No event waits for them.
    pub released: Vec<Parked>,
}

impl ParkingChange {
    /// Returns true if the change is empty and need not be stored.
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty() && self.waiting.is_empty() && self.released.is_empty()
    }
}

/// Parked entities, waiting events and skips of a projector or process.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    entities: BTreeMap<Entity, Parked>,
    /// Parked entity of each parked key.
    keys: HashMap<String, Entity>,
    /// Keys that skip an event, by stream and revision of the event; `None` stands for all keys.
    skips: HashMap<(StreamName, Revision), Vec<Option<String>>>,
    /// Change since the last one that was stored.
    change: ParkingChange,
}

impl Parking {
    /// Replaces all parked entities by the stored ones.
    pub(crate) fn restore(&mut self, parked: Vec<Parked>) {
        self.entities.clear();
        self.keys.clear();
        self.change = ParkingChange::default();
        for parked in parked {
            self.add(parked);
        }
    }

    pub(crate) fn skip(&mut self, skip: Skip) {
        self.skips.entry((skip.stream, skip.revision)).or_default().push(skip.key);
    }

    /// Returns true if `key` skips the event, or if all keys skip it.
    pub(crate) fn is_skipped(&self, stream: &StreamName, revision: Revision, key: Option<&str>) -> bool {
        if self.skips.is_empty() {
            return false;
        }
        let skips = self.skips.get(&(stream.clone(), revision));
        skips.is_some_and(|skips| skips.iter().any(|skipped| skipped.is_none() || skipped.as_deref() == key))
    }

    /// Returns true if at least one key skips the event.
    pub(crate) fn has_skip_for(&self, event: &RecordedEvent) -> bool {
        !self.skips.is_empty() && self.skips.contains_key(&(event.stream.clone(), event.revision))
    }

    pub(crate) fn get(&self, entity: &Entity) -> Option<&Parked> {
        self.entities.get(entity)
    }

    pub(crate) fn count(&self) -> usize {
        self.entities.len()
    }

    /// Returns the parked entity that a key belongs to.
    pub(crate) fn entity_of_key(&self, key: &str) -> Option<&Entity> {
        if self.keys.is_empty() { None } else { self.keys.get(key) }
    }

    /// Returns the parked entity that `event` must wait for, because the event concerns `key`.
    pub(crate) fn blocking_key(&self, key: &str, event: &RecordedEvent) -> Option<Entity> {
        self.entity_of_key(key).filter(|entity| self.is_parked_at(entity, event)).cloned()
    }

    /// Returns the parked stream that `event` must wait for, because the event belongs to this stream.
    pub(crate) fn blocking_stream(&self, event: &RecordedEvent) -> Option<Entity> {
        if self.entities.is_empty() {
            return None;
        }
        let entity = Entity::Stream(event.stream.clone());
        self.is_parked_at(&entity, event).then_some(entity)
    }

    /// Returns true if an entity was parked by this event or an earlier one.
    fn is_parked_at(&self, entity: &Entity, event: &RecordedEvent) -> bool {
        self.entities.get(entity).is_some_and(|parked| parked.failure.position <= event.position)
    }

    fn add(&mut self, parked: Parked) {
        for key in &parked.keys {
            self.keys.entry(key.clone()).or_insert_with(|| parked.failure.entity.clone());
        }
        self.entities.insert(parked.failure.entity.clone(), parked);
    }

    fn remove(&mut self, entity: &Entity) -> Option<Parked> {
        let removed = self.entities.remove(entity)?;
        self.keys.clear();
        // A key of the removed entity may also belong to another parked entity.
        for parked in self.entities.values() {
            for key in &parked.keys {
                self.keys.entry(key.clone()).or_insert_with(|| parked.failure.entity.clone());
            }
        }
        Some(removed)
    }

    /// Parks an entity. A key that is already parked stays with its first entity.
    pub(crate) fn park(&mut self, parked: Parked) {
        self.change.parked.push(parked.clone());
        self.add(parked);
    }

    /// Notes that an event waits for a parked entity.
    pub(crate) fn wait(&mut self, entity: Entity, position: Position) {
        if self.change.waiting.last().is_none_or(|last| last.1 != position || last.0 != entity) {
            self.change.waiting.push((entity, position));
        }
    }

    /// Removes waiting events from the change, and parks the released entities again.
    pub(crate) fn forget_waiting(&mut self) {
        self.change.waiting.clear();
        for parked in std::mem::take(&mut self.change.released) {
            self.add(parked);
        }
    }

    pub(crate) fn release(&mut self, entity: &Entity) {
        if let Some(parked) = self.remove(entity) {
            self.change.released.push(parked);
        }
    }

    /// Returns the change since the last one that was stored.
    pub(crate) fn change(&self) -> ParkingChange {
        self.change.clone()
    }

    /// Returns true if there is a change to store.
    pub(crate) fn has_changed(&self) -> bool {
        self.change != ParkingChange::default()
    }

    /// Clears the change after it was stored.
    pub(crate) fn stored(&mut self) {
        self.change = ParkingChange::default();
    }

    /// Undoes the change after it was not stored.
    pub(crate) fn roll_back(&mut self) {
        self.forget_waiting();
        for parked in std::mem::take(&mut self.change.parked) {
            self.remove(&parked.failure.entity);
        }
    }
}

/// Runs a rule that may panic. Returns its result, or the message of the panic.
pub(crate) fn catch_panic<T>(rule: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(rule)).map_err(|panic| {
        let message = panic.downcast_ref::<&str>().map(|message| (*message).to_owned());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
        format!("it panicked: {}", message.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_contains_no_value_of_the_payload() {
        for (text, cleaned) in [
            (
                "invalid type: string \"Ada \\\"Lovelace\\\" X\", expected u64\n left: 3",
                "invalid type: string …, expected u64",
            ),
            ("invalid type: integer `4111`, expected a string", "invalid type: integer …, expected a string"),
            ("payload of `order.shipped` does not decode", "payload of `order.shipped` does not decode"),
        ] {
            assert_eq!(without_values(text), cleaned);
        }
        assert_eq!(without_values("missing field `things`"), "missing field `things`");
    }
}
