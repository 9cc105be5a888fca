//! Parked entities: what a projector or a process can't bring further, and where each of them stands.
//!
//! An entity is parked from one event on. That event and all later ones for it are noted by their
//! position, never by their payload, so that they can be read by tomorrow's code; every other entity
//! goes on. What somebody decided to skip stands in the log and is read before anything is folded.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::envelope::RecordedEvent;
use crate::id::{Position, Revision, StreamName};

/// What is parked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Entity {
    /// A row of a read model, or an instance of a process.
    Key(String),
    /// A stream whose events can't be read, with everything that it has touched.
    Stream(StreamName),
}

impl Entity {
    /// `key` or `stream`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Stream(_) => "stream",
        }
    }

    /// The key or the stream's name.
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

/// An event that can't be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entity} can't take {stream} at revision {revision} (position {position}): {reason}")]
pub struct Poison {
    /// What it can't be applied to.
    pub entity: Entity,
    /// The event's stream.
    pub stream: StreamName,
    /// The event's revision.
    pub revision: Revision,
    /// The event's position.
    pub position: Position,
    /// Why, without anything of its payload.
    pub reason: String,
    /// Whether passing the event over would help.
    pub can_be_skipped: bool,
}

impl Poison {
    /// The poison that an event is. Of the reason only what can't be of its payload is kept: the first
    /// line, and of quoted values that there was one.
    pub(crate) fn new(entity: Entity, recorded: &RecordedEvent, reason: &str) -> Self {
        let (stream, revision) = (recorded.stream.clone(), recorded.revision);
        let (position, reason) = (recorded.position, without_values(reason));
        Self { entity, stream, revision, position, reason, can_be_skipped: true }
    }
}

/// The first line of an error without what may be of the payload: everything from the first double quote
/// to the last, and what stands in backticks unless it names a field or an event type.
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

/// An entity that is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The event it is parked from.
    pub poison: Poison,
    /// What stays as it is: the rows or instances.
    pub keys: Vec<String>,
    /// When it was parked.
    pub since: Timestamp,
}

/// An event that is not applied by decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The event's stream.
    pub stream: StreamName,
    /// The event's revision.
    pub revision: Revision,
    /// The only key it is not applied to; none when it can't be read at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What is to be stored of parking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkingChange {
    /// Parked since the last change.
    pub parked: Vec<Parked>,
    /// Events that wait for parked entities, the first of each included.
    pub waiting: Vec<(Entity, Position)>,
    /// No longer parked; nothing waits for them.
    pub released: Vec<Parked>,
}

impl ParkingChange {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty() && self.waiting.is_empty() && self.released.is_empty()
    }
}

/// The parked entities of a projector or process.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    entities: BTreeMap<Entity, Parked>,
    keys: HashMap<String, Entity>,
    skips: HashMap<(StreamName, Revision), Vec<Option<String>>>,
    change: ParkingChange,
}

impl Parking {
    /// What was stored.
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

    /// Whether an event is passed over, as a whole or for one key.
    pub(crate) fn is_skipped(&self, stream: &StreamName, revision: Revision, key: Option<&str>) -> bool {
        if self.skips.is_empty() {
            return false;
        }
        let skips = self.skips.get(&(stream.clone(), revision));
        skips.is_some_and(|skips| skips.iter().any(|skipped| skipped.is_none() || skipped.as_deref() == key))
    }

    /// Whether an event is skipped, for whatever key.
    pub(crate) fn is_named_by_a_skip(&self, event: &RecordedEvent) -> bool {
        !self.skips.is_empty() && self.skips.contains_key(&(event.stream.clone(), event.revision))
    }

    pub(crate) fn get(&self, entity: &Entity) -> Option<&Parked> {
        self.entities.get(entity)
    }

    pub(crate) fn count(&self) -> usize {
        self.entities.len()
    }

    /// The entity that a key belongs to.
    pub(crate) fn of_key(&self, key: &str) -> Option<&Entity> {
        if self.keys.is_empty() { None } else { self.keys.get(key) }
    }

    /// The entity that an event for a key has to wait for.
    pub(crate) fn holds_key(&self, key: &str, event: &RecordedEvent) -> Option<Entity> {
        self.of_key(key).filter(|entity| self.is_from(entity, event)).cloned()
    }

    /// The entity that an event has to wait for because of its stream.
    pub(crate) fn holds_stream(&self, event: &RecordedEvent) -> Option<Entity> {
        if self.entities.is_empty() {
            return None;
        }
        let entity = Entity::Stream(event.stream.clone());
        self.is_from(&entity, event).then_some(entity)
    }

    /// Whether an entity is parked from this event on, or an earlier one.
    fn is_from(&self, entity: &Entity, event: &RecordedEvent) -> bool {
        self.entities.get(entity).is_some_and(|parked| parked.poison.position <= event.position)
    }

    fn add(&mut self, parked: Parked) {
        for key in &parked.keys {
            self.keys.entry(key.clone()).or_insert_with(|| parked.poison.entity.clone());
        }
        self.entities.insert(parked.poison.entity.clone(), parked);
    }

    fn remove(&mut self, entity: &Entity) -> Option<Parked> {
        let removed = self.entities.remove(entity)?;
        self.keys.clear();
        // A key may belong to another one that is parked, too.
        for parked in self.entities.values() {
            for key in &parked.keys {
                self.keys.entry(key.clone()).or_insert_with(|| parked.poison.entity.clone());
            }
        }
        Some(removed)
    }

    /// Parks an entity. Keys that are parked already stay with the entity they are parked with.
    pub(crate) fn park(&mut self, parked: Parked) {
        self.change.parked.push(parked.clone());
        self.add(parked);
    }

    /// An event is to wait for a parked entity.
    pub(crate) fn wait(&mut self, entity: Entity, position: Position) {
        if self.change.waiting.last().is_none_or(|last| last.1 != position || last.0 != entity) {
            self.change.waiting.push((entity, position));
        }
    }

    /// Nothing waits in this change, and nobody was released.
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

    /// What is to be stored with the next change.
    pub(crate) fn change(&self) -> ParkingChange {
        self.change.clone()
    }

    /// Returns true if something is to be stored.
    pub(crate) fn has_changed(&self) -> bool {
        self.change != ParkingChange::default()
    }

    /// The last change was stored.
    pub(crate) fn stored(&mut self) {
        self.change = ParkingChange::default();
    }

    /// The last change was not stored.
    pub(crate) fn roll_back(&mut self) {
        self.forget_waiting();
        for parked in std::mem::take(&mut self.change.parked) {
            self.remove(&parked.poison.entity);
        }
    }
}

/// Runs what may panic on an input it was not made for; the panic's words, without a backtrace.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|panic| {
        let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
        format!("it panicked: {}", words.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_holds_no_value_of_the_payload() {
        for (text, told) in [
            (
                "invalid type: string \"Ada \\\"Lovelace\\\" X\", expected u64\n left: 3",
                "invalid type: string …, expected u64",
            ),
            ("invalid type: integer `4111`, expected a string", "invalid type: integer …, expected a string"),
            ("payload of `order.shipped` does not decode", "payload of `order.shipped` does not decode"),
        ] {
            assert_eq!(without_values(text), told);
        }
        assert_eq!(without_values("missing field `things`"), "missing field `things`");
    }
}
