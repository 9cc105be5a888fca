//! Any aggregate's state as JSON, for people who look at a stream.

use serde::Serialize;
use serde_json::Value;
use souk_eventsourcing::{Decider, DecodeError, RecordedEvent};

use crate::for_each_aggregate;

/// An aggregate, folded event by event.
pub trait Fold: Send {
    /// Takes the next event of the stream.
    fn take(&mut self, event: &RecordedEvent) -> Result<(), DecodeError>;
    /// The state by now.
    fn state(&self) -> Value;
}

/// A fold of the aggregate whose streams have this category; none for streams of processes, whose state
/// comes from other streams.
pub fn of_category(category: &str) -> Option<Box<dyn Fold>> {
    macro_rules! folds {
        ($($field:ident: $aggregate:ty,)*) => { [$(of::<$aggregate>()),*] };
    }
    let folds = for_each_aggregate!(folds);
    folds.into_iter().find(|(of, _)| *of == category).map(|(_, fold)| fold)
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
