//! The state of any aggregate as JSON, for people who inspect a stream.

use serde::Serialize;
use serde_json::Value;
use souk_eventsourcing::{Decider, DecodeError, RecordedEvent};

use crate::for_each_aggregate;

/// State of an aggregate, computed event by event.
pub trait Fold: Send {
    /// Applies the next event of the stream.
    fn take(&mut self, event: &RecordedEvent) -> Result<(), DecodeError>;
    /// Returns the current state as JSON.
    fn state(&self) -> Value;
}

/// Returns a fold for the aggregate whose streams have this category. Returns `None` for the streams of
/// processes, because the state of a process depends on several streams.
pub fn of_category(category: &str) -> Option<Box<dyn Fold>> {
    macro_rules! folds {
        ($($port:ident: $name:ident = $aggregate:ty,)*) => { [$(of::<$aggregate>()),*] };
    }
    let folds = for_each_aggregate!(folds);
    folds.into_iter().find(|(name, _)| *name == category).map(|(_, fold)| fold)
}

fn of<D: Decider>() -> (&'static str, Box<dyn Fold>)
where
    D::State: Serialize,
{
    (D::CATEGORY, Box::new(Folded::<D> { state: D::State::default() }))
}

struct Folded<D: Decider> {
    state: D::State,
}

impl<D: Decider> Fold for Folded<D>
where
    D::State: Serialize,
{
    fn take(&mut self, event: &RecordedEvent) -> Result<(), DecodeError> {
        if !event.is_noted() {
            let event: D::Event = event.decode()?;
            self.state = D::evolve(std::mem::take(&mut self.state), &event);
        }
        Ok(())
    }

    fn state(&self) -> Value {
        serde_json::to_value(&self.state).unwrap_or_else(|error| Value::String(error.to_string()))
    }
}
