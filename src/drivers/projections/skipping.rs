//! Skip of an event that stops a rebuild. The live read model may have applied the event, so nothing is
//! parked there.

use souk_eventsourcing::parking::Skip;
use souk_eventsourcing::projection_runtime::ProjectionError;
use souk_eventsourcing::{Position, StoreError};

use super::Projections;
use crate::drivers::parked;

/// Reason why there is nothing to skip at a position.
#[derive(Debug, thiserror::Error)]
pub enum NothingToSkip {
    /// There is no such event, or the projector can apply it.
    #[error("{0}")]
    Nothing(String),
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Projections {
    /// Finds the skip for an event. `entity` is the key or stream, and `position` the position, as named in
    /// the message of the rebuild.
    pub(super) async fn skip_at(
        &self,
        model: &str,
        entity: &str,
        position: Position,
    ) -> Result<Skip, NothingToSkip> {
        let nothing = |why: &str| {
            NothingToSkip::Nothing(format!(
                "{why}: copy the read model, the entity and the position from the message of `souk replay`"
            ))
        };
        let place = self.place_of(model).ok_or_else(|| nothing("there is no such read model"))?;
        if position == Position::START || position > self.store.head().await? {
            return Err(nothing("there is no event at that position"));
        }
        let events = parked::events_at(&*self.store, &[position]).await?;
        let event = events.first().ok_or_else(|| nothing("there is no event at that position"))?;
        let stream = event.stream.clone();
        let revision = event.revision;
        let projector = &self.projectors[place];
        if stream.as_str() == entity && projector.is_unreadable(event) {
            return Ok(Skip { stream, revision, key: None });
        }
        if projector.keys(event).iter().any(|key| key == entity) {
            return Ok(Skip { stream, revision, key: Some(entity.to_owned()) });
        }
        Err(nothing(
            "the read model can apply the event at that position, or the event belongs to another entity",
        ))
    }
}

/// Returns advice for an operator whose rebuild stopped at an event.
pub(super) fn advice(error: &ProjectionError) -> String {
    let failure = &error.failure;
    if !failure.can_be_skipped {
        return "fix the projector".to_owned();
    }
    let entity = quoted_for_a_shell(failure.entity.name());
    format!(
        "fix the projector, or skip the event with `souk parked skip {} {entity} --position {} --reason WHY`, \
        and repeat the command",
        error.model, failure.position
    )
}

/// Quotes a text so that a shell reads it as one word.
fn quoted_for_a_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:@/+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_quotes_become_one_shell_word() {
        for (word, quoted) in [
            ("order-1", "order-1"),
            ("a lamp", "'a lamp'"),
            ("5' \"pole\"", "'5'\\'' \"pole\"'"),
            ("$x", "'$x'"),
        ] {
            assert_eq!(quoted_for_a_shell(word), quoted);
        }
    }
}
