//! What was asked of the log and what it answered.

use bytes::Bytes;
use fastrand::Rng;
use jiff::Timestamp;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{
    Actor, Append, AppendError, Appended, CorrelationId, EventId, EventStore, Expected, Position,
    RecordedEvent, StreamName,
};
use uuid::Uuid;

/// Streams that are appended to.
const STREAMS: u8 = 5;
/// Events of an append.
const EVENTS_MAX: u32 = 8;
/// Bytes of an event's payload: some take several pages.
const PAYLOAD_BYTES_MAX: usize = 6_000;
/// Bytes of a payload of which few fill the write-ahead log.
const LARGE_BYTES: usize = 700 * 1024;

/// What is known of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// It is there.
    Answered(Vec<Position>),
    /// It may be there.
    Unknown,
}

struct Attempt {
    append: Append,
    fate: Fate,
}

/// All that was asked.
#[derive(Default)]
pub(crate) struct History {
    attempts: Vec<Attempt>,
}

impl History {
    /// Events that are known to be there.
    pub(crate) fn events(&self) -> usize {
        let answered = |attempt: &Attempt| match &attempt.fate {
            Fate::Answered(positions) => positions.len(),
            Fate::Unknown => 0,
        };
        self.attempts.iter().map(answered).sum()
    }

    /// Appends something new, or what nobody knows about once more.
    pub(crate) async fn append(&mut self, log: &dyn EventStore, rng: &mut Rng) -> Result<(), ()> {
        let unknown = self.attempts.iter().rposition(|attempt| attempt.fate == Fate::Unknown);
        let place = match unknown {
            Some(place) if rng.u8(..3) == 0 => place,
            _ => {
                let events = rng.u32(1..=EVENTS_MAX);
                self.add(events, |rng| rng.usize(..PAYLOAD_BYTES_MAX), rng)
            }
        };
        self.send(log, place).await
    }

    /// Appends something that takes many pages.
    pub(crate) async fn append_large(&mut self, log: &dyn EventStore, rng: &mut Rng) -> Result<(), ()> {
        let place = self.add(1, |_| LARGE_BYTES, rng);
        self.send(log, place).await
    }

    fn add(&mut self, events: u32, length: impl Fn(&mut Rng) -> usize, rng: &mut Rng) -> usize {
        let stream = StreamName::new("thing", &rng.u8(..STREAMS).to_string());
        let command = Uuid::from_u128(self.attempts.len() as u128 + 1);
        let origin = Origin::new(command, Actor::new("test", "x"), CorrelationId::from(command));
        let events = (0..events).map(|ordinal| {
            let data = Bytes::from(format!("\"{}\"", "x".repeat(length(rng))));
            origin.raw_envelope(&stream, ordinal, "thing.happened", 1, data, Timestamp::UNIX_EPOCH)
        });
        let events = events.collect();
        let append = Append { stream, expected: Expected::Any, events };
        self.attempts.push(Attempt { append, fate: Fate::Unknown });
        self.attempts.len() - 1
    }

    async fn send(&mut self, log: &dyn EventStore, place: usize) -> Result<(), ()> {
        match log.append(self.attempts[place].append.clone()).await {
            Ok(Appended { positions, .. }) => {
                self.attempts[place].fate = Fate::Answered(positions);
                Ok(())
            }
            // It was there all along, and `check` will say where.
            Err(AppendError::Duplicate { .. }) => Ok(()),
            Err(AppendError::Store(_)) => Err(()),
            Err(refused) => panic!("an append that nothing speaks against is refused: {refused}"),
        }
    }

    /// The log holds what was answered where it was answered, of the rest all or nothing, and nothing else.
    pub(crate) fn check(&mut self, log: &[RecordedEvent]) {
        let mut accounted = 0;
        for (number, attempt) in self.attempts.iter_mut().enumerate() {
            let ids: Vec<EventId> = attempt.append.events.iter().map(|event| event.id).collect();
            let there: Vec<Position> = log
                .iter()
                .filter(|event| ids.contains(&event.event.id))
                .map(|event| event.position)
                .collect();
            match &attempt.fate {
                Fate::Answered(positions) => assert_eq!(there, *positions, "append {number} was answered"),
                Fate::Unknown if there.is_empty() => {}
                Fate::Unknown => {
                    assert_eq!(there.len(), ids.len(), "append {number} is there in part");
                    attempt.fate = Fate::Answered(there.clone());
                }
            }
            accounted += there.len();
        }
        assert_eq!(accounted, log.len(), "there is something that nobody asked for");
    }
}
