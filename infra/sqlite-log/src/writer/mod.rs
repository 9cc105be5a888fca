//! The writer thread: group commit.
//!
//! It takes whatever waits, judges each append by itself, writes all that fit in one transaction,
//! commits once, shows the events to readers and then answers. While it commits, the next group
//! gathers. While another program holds the file, nothing is written: the group is refused, and the next
//! one tries again. After an error of the disk the writer is dead for good: it answers everybody so and
//! touches the file no more, since what a failed write or sync left behind can't be known.

mod checkpoint;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use souk_eventsourcing::{Append, AppendError, Appended, Position, RecordedEvent, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use crate::OpenError;
use crate::ring::Ring;
use checkpoint::Checkpoints;
use table::{Refusal, Table};

/// Appends that may wait for the writer; more wait for a place.
const QUEUE_APPENDS_MAX: usize = 4_096;
/// Events in one transaction; the append that reaches it is the last to come in.
const GROUP_EVENTS_MAX: usize = 4_096;
/// Bytes of payloads in one transaction; the append that reaches it is the last to come in.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Times in a row that a group lets other threads run without an append coming of it, before it begins
/// with fewer appends than were expected.
const GATHER_YIELDS_MAX: u32 = 64;

type Answer = oneshot::Sender<Result<Appended, AppendError>>;

/// An append on its way.
pub(crate) struct Request {
    pub(crate) append: Append,
    pub(crate) answer: Answer,
}

/// What the writer did since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Transactions that were synced.
    pub commits: u64,
    /// Appends in them.
    pub appends: u64,
    /// Events in them.
    pub events: u64,
    /// Events in the largest.
    pub largest_commit_events: u64,
    /// Microseconds that their commits took: the sync, not the inserts before it.
    pub commit_micros: u64,
}

#[derive(Default)]
struct AtomicCounters {
    commits: AtomicU64,
    appends: AtomicU64,
    events: AtomicU64,
    largest: AtomicU64,
    commit_micros: AtomicU64,
}

/// The way to the writer; dropping it ends the thread, after what waits.
pub(crate) struct WriterHandle {
    queue: Option<mpsc::Sender<Request>>,
    counters: Arc<AtomicCounters>,
    thread: Option<JoinHandle<()>>,
}

impl WriterHandle {
    pub(crate) async fn send(&self, request: Request) -> Result<(), ()> {
        let queue = self.queue.as_ref().ok_or(())?;
        queue.send(request).await.map_err(|_| ())
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            commits: self.counters.commits.load(Ordering::Relaxed),
            appends: self.counters.appends.load(Ordering::Relaxed),
            events: self.counters.events.load(Ordering::Relaxed),
            largest_commit_events: self.counters.largest.load(Ordering::Relaxed),
            commit_micros: self.counters.commit_micros.load(Ordering::Relaxed),
        }
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has said so; there is nothing to add while dropping.
            let _ = thread.join();
        }
    }
}

pub(crate) fn start(
    connection: Connection,
    path: PathBuf,
    ring: Arc<Ring>,
    head: watch::Sender<Position>,
) -> Result<WriterHandle, OpenError> {
    let (queue, requests) = mpsc::channel(QUEUE_APPENDS_MAX);
    let counters = Arc::new(AtomicCounters::default());
    let checkpoints = Checkpoints::start(&path)?;
    let writer = Writer { requests, ring, head, counters: Arc::clone(&counters), checkpoints, expected: 0 };
    let thread = std::thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || writer.run(&connection))
        .map_err(|error| OpenError::Unusable { path, reason: error.to_string() })?;
    Ok(WriterHandle { queue: Some(queue), counters, thread: Some(thread) })
}

struct Writer {
    requests: mpsc::Receiver<Request>,
    ring: Arc<Ring>,
    head: watch::Sender<Position>,
    counters: Arc<AtomicCounters>,
    checkpoints: Checkpoints,
    /// Appends that may come to the next group.
    expected: usize,
}

/// An append that was judged and waits for the commit.
struct Judged {
    answer: Answer,
    result: Result<Appended, AppendError>,
}

impl Writer {
    fn run(mut self, connection: &Connection) {
        let Err(error) = self.write_groups(connection) else { return };
        // Closing would checkpoint, which is one more sync.
        let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        tracing::error!(%error, "the log takes no more writes until it is opened again");
        let failure = stopped(&error);
        let Self { mut requests, head, .. } = self;
        // Nothing comes any more: those who wait for it are told so, and health with them.
        drop(head);
        while let Some(request) = requests.blocking_recv() {
            let _ = request.answer.send(Err(failure.clone().into()));
        }
    }

    /// Ends without an error when the log is dropped.
    fn write_groups(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let position = *self.head.borrow();
        let mut table = Table::new(connection, position)?;
        checkpoint::watch_wal(connection);
        while let Some(first) = self.requests.blocking_recv() {
            let group = self.gather(first);
            self.commit_group(&mut table, group)?;
            self.checkpoints.after_commit(connection)?;
        }
        Ok(())
    }

    /// What waits right now, up to the limits of a group.
    ///
    /// Those who were just answered are about to append again: while there are fewer appends than they
    /// and those who waited already, other threads are let run first, which makes one commit of what
    /// would be two. Nobody waits for a time to pass.
    fn gather(&mut self, first: Request) -> Vec<Request> {
        let (mut events, mut bytes) = (first.append.events.len(), payload_bytes(&first));
        let mut group = Vec::with_capacity(self.expected);
        group.push(first);
        let mut yields = 0;
        while events < GROUP_EVENTS_MAX && bytes < GROUP_BYTES_MAX {
            let Ok(next) = self.requests.try_recv() else {
                if group.len() >= self.expected || yields == GATHER_YIELDS_MAX {
                    break;
                }
                yields += 1;
                std::thread::yield_now();
                continue;
            };
            yields = 0;
            events += next.append.events.len();
            bytes += payload_bytes(&next);
            group.push(next);
        }
        group
    }

    /// Writes a group and answers it. After an error nothing of it can be known to be on disk, and all
    /// of it is told so: also a refusal may rest on what was written just before it.
    fn commit_group(&mut self, table: &mut Table<'_>, group: Vec<Request>) -> rusqlite::Result<()> {
        let mut judged = Vec::with_capacity(group.len());
        let mut recorded = Vec::with_capacity(group.len());
        let mut group = group.into_iter();
        let written = match self.checkpoints.failure() {
            Some(error) => Err(Failure::Disk(error)),
            None => write_group(table, &mut group, &mut judged, &mut recorded),
        };
        let commit_took = match written {
            Ok(took) => took,
            Err(Failure::Locked(error)) => {
                refuse(&locked(&error), judged, group);
                return Ok(());
            }
            Err(Failure::Disk(error)) => {
                refuse(&stopped(&error), judged, group);
                return Err(error);
            }
        };
        souk_fail_points::pass("log-after-commit");
        self.publish(recorded, judged.iter().filter(|judged| judged.result.is_ok()).count(), commit_took);
        self.expected = judged.len() + self.requests.len();
        for Judged { answer, result } in judged {
            // Whoever asked may have gone away; the events are there all the same.
            let _ = answer.send(result);
        }
        Ok(())
    }

    /// Shows committed events to readers: first the events, then the head that sends readers to them.
    fn publish(&self, recorded: Vec<RecordedEvent>, appends: usize, commit_took: Duration) {
        let Some(head) = recorded.last().map(|event| event.position) else { return };
        let events = recorded.len() as u64;
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.appends.fetch_add(appends as u64, Ordering::Relaxed);
        self.counters.events.fetch_add(events, Ordering::Relaxed);
        self.counters.largest.fetch_max(events, Ordering::Relaxed);
        let micros = u64::try_from(commit_took.as_micros()).unwrap_or(u64::MAX);
        self.counters.commit_micros.fetch_add(micros, Ordering::Relaxed);
        self.ring.extend(recorded.into_iter());
        self.head.send_replace(head);
    }
}

/// Writes a group and says how long its commit took.
fn write_group(
    table: &mut Table<'_>,
    group: &mut impl Iterator<Item = Request>,
    judged: &mut Vec<Judged>,
    recorded: &mut Vec<RecordedEvent>,
) -> Result<Duration, Failure> {
    table.begin().map_err(|error| if is_locked(&error) { Failure::Locked(error) } else { error.into() })?;
    for Request { append, answer } in group {
        let result = match table.append(append, recorded) {
            Ok(appended) => Ok(appended),
            Err(Refusal::Append(error)) => Err(error),
            Err(Refusal::Fatal(error)) => {
                judged.push(Judged { answer, result: Err(stopped(&error).into()) });
                return Err(error.into());
            }
        };
        judged.push(Judged { answer, result });
        souk_fail_points::pass("log-in-group");
    }
    let started = Instant::now();
    table.commit()?;
    Ok(started.elapsed())
}

/// The reason why a group was not written.
enum Failure {
    /// Another program holds the file. Nothing of the group was written.
    Locked(rusqlite::Error),
    /// The disk failed: nothing of the group can be known to be on it.
    Disk(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Disk(error)
    }
}

fn is_locked(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Answers a group that was not written.
fn refuse(failure: &StoreError, judged: Vec<Judged>, rest: impl Iterator<Item = Request>) {
    let judged = judged.into_iter().map(|judged| judged.answer);
    for answer in judged.chain(rest.map(|request| request.answer)) {
        // Whoever asked may have gone away.
        let _ = answer.send(Err(failure.clone().into()));
    }
}

fn payload_bytes(request: &Request) -> usize {
    request.append.events.iter().map(|event| event.data.len()).sum()
}

fn locked(error: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(format!("another program holds its file: {error}"))
}

fn stopped(error: &rusqlite::Error) -> StoreError {
    StoreError::Stopped(format!("its writer stopped: {error}; put that right and start the shop again"))
}
