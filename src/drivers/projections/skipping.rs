//! An event that stops a rebuild is passed over, though the live model took it in and has nothing parked.

use souk_eventsourcing::parking::Skip;
use souk_eventsourcing::projection_runtime::ProjectionError;
use souk_eventsourcing::{Position, StoreError};

use super::Projections;
use crate::drivers::parked;

/// Why there is nothing to skip at a position.
#[derive(Debug, thiserror::Error)]
pub enum NothingToSkip {
    /// No such event, or one that the model can take.
    #[error("{0}")]
    Nothing(String),
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Projections {
    /// Finds the skip of an event for a key or stream that can't take it, as the message of a rebuild names both.
    pub(super) async fn skip_at(
        &self,
        model: &str,
        entity: &str,
        position: Position,
    ) -> Result<Skip, NothingToSkip> {
        let nothing = |why: &str| {
            NothingToSkip::Nothing(format!("{why}: the message of `souk replay` names all three"))
        };
        let place = self.place_of(model).ok_or_else(|| nothing("there is no such read model"))?;
        if position == Position::START || position > self.store.head().await? {
            return Err(nothing("no event stands at that position"));
        }
        let events = parked::at(&*self.store, &[position]).await?;
        let event = events.first().ok_or_else(|| nothing("no event stands at that position"))?;
        let stream = event.stream.clone();
        let revision = event.revision;
        let projector = &self.projectors[place];
        if stream.as_str() == entity && projector.is_unreadable(event) {
            return Ok(Skip { stream, revision, key: None });
        }
        if projector.keys(event).iter().any(|key| key == entity) {
            return Ok(Skip { stream, revision, key: Some(entity.to_owned()) });
        }
        Err(nothing("the read model can take the event at that position, or it is not of that entity"))
    }
}

/// The way on for an operator whose rebuild stopped.
pub(super) fn advice(error: &ProjectionError) -> String {
    let poison = &error.poison;
    if !poison.can_be_skipped {
        return "mend the projector".to_owned();
    }
    let entity = quoted_for_a_shell(poison.entity.name());
    format!(
        "mend the projector, or pass the event over by `souk parked skip {} {entity} --position {} --reason WHY`, \
         and repeat the command",
        error.model, poison.position
    )
}

/// A word as a shell reads it as one.
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
    fn names_with_blanks_and_quotes_stay_one_word_for_a_shell() {
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
