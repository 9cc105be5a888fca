//! History of the appends that a test sent to the log, and of their results.

use bytes::Bytes;
use fastrand::Rng;
use jiff::Timestamp;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{
    Actor, Append, AppendError, Appended, CorrelationId, EventId, EventStore, Expected, Position,
    RecordedEvent, StreamName,
};
use uuid::Uuid;

/// Number of streams.
const STREAMS: u8 = 5;
/// Maximum number of events in an append.
const EVENTS_MAX: u32 = 8;
/// Maximum number of bytes of a payload. Some payloads need several pages of the database.
const PAYLOAD_BYTES_MAX: usize = 6_000;
/// Bytes of a large payload. A few of them fill the write-ahead log.
const LARGE_BYTES: usize = 700 * 1024;

/// Status of an append, as the test knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AppendStatus {
    /// The events are in the log, at these positions.
    Acknowledged(Vec<Position>),
    /// The append failed or is running, so its events may be in the log or not.
    Unknown,
}

struct Attempt {
    append: Append,
    status: AppendStatus,
}

/// All appends of a run.
#[derive(Default)]
pub(crate) struct History {
    attempts: Vec<Attempt>,
}

impl History {
    /// Number of events that are in the log for certain.
    pub(crate) fn events(&self) -> usize {
        let acknowledged = |attempt: &Attempt| match &attempt.status {
            AppendStatus::Acknowledged(positions) => positions.len(),
            AppendStatus::Unknown => 0,
        };
        self.attempts.iter().map(acknowledged).sum()
    }

    /// Sends a new append, or repeats an append whose status is unknown.
    pub(crate) async fn append(&mut self, log: &dyn EventStore, rng: &mut Rng) -> Result<(), ()> {
        let unknown = self.attempts.iter().rposition(|attempt| attempt.status == AppendStatus::Unknown);
        let index = match unknown {
            Some(index) if rng.u8(..3) == 0 => index,
            _ => {
                let events = rng.u32(1..=EVENTS_MAX);
                self.add(events, |rng| rng.usize(..PAYLOAD_BYTES_MAX), rng)
            }
        };
        self.send(log, index).await
    }

    /// Sends an append that needs many pages of the database.
    pub(crate) async fn append_large(&mut self, log: &dyn EventStore, rng: &mut Rng) -> Result<(), ()> {
        let index = self.add(1, |_| LARGE_BYTES, rng);
        self.send(log, index).await
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
        self.attempts.push(Attempt { append, status: AppendStatus::Unknown });
        self.attempts.len() - 1
    }

    async fn send(&mut self, log: &dyn EventStore, index: usize) -> Result<(), ()> {
        match log.append(self.attempts[index].append.clone()).await {
            Ok(Appended { positions, .. }) => {
                self.attempts[index].status = AppendStatus::Acknowledged(positions);
                Ok(())
            }
            // The events are already in the log. `check` finds their positions.
            Err(AppendError::Duplicate { .. }) => Ok(()),
            Err(AppendError::Store(_)) => Err(()),
            Err(error) => panic!("a valid append was rejected: {error}"),
        }
    }

    /// Checks that the log has the events of acknowledged appends at their positions, all or none of the
    /// events of other appends, and no further events.
    pub(crate) fn check(&mut self, log: &[RecordedEvent]) {
        let mut expected_count = 0;
        for (number, attempt) in self.attempts.iter_mut().enumerate() {
            let ids: Vec<EventId> = attempt.append.events.iter().map(|event| event.id).collect();
            let found: Vec<Position> = log
                .iter()
                .filter(|event| ids.contains(&event.event.id))
                .map(|event| event.position)
                .collect();
            match &attempt.status {
                AppendStatus::Acknowledged(positions) => {
                    assert_eq!(found, *positions, "append {number} was acknowledged");
                }
                AppendStatus::Unknown if found.is_empty() => {}
                AppendStatus::Unknown => {
                    assert_eq!(found.len(), ids.len(), "append {number} is in the log only in part");
                    attempt.status = AppendStatus::Acknowledged(found.clone());
                }
            }
            expected_count += found.len();
        }
        assert_eq!(expected_count, log.len(), "the log has events that no append sent");
    }
}
