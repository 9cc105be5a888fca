//! The writer thread, with group commit.
//!
//! The thread takes all waiting appends as one group. It accepts or refuses each append separately, writes
//! the accepted ones in one transaction, commits, publishes the events to readers, and then sends the
//! results. During the commit, the next group collects in the queue.
//!
//! If another program has locked the file, the group is refused, and the writer tries again with the next
//! group. After a disk error the writer stops: it refuses all later appends and never touches the file again,
//! because the state that a failed write or sync left on disk is unknown.

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

/// Capacity of the queue. While the queue is full, senders wait.
const QUEUE_APPENDS_MAX: usize = 4_096;
/// Limit of events in one transaction. The append that reaches it is the last one of its group.
const GROUP_EVENTS_MAX: usize = 4_096;
/// Limit of payload bytes in one transaction. The append that reaches it is the last one of its group.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Limit of consecutive yields during which no append arrives. After them, the writer writes the group
/// although it has fewer appends than expected.
const GATHER_YIELDS_MAX: u32 = 64;

/// Sender of the result of one append.
type Reply = oneshot::Sender<Result<Appended, AppendError>>;

/// A queued append.
pub(crate) struct Request {
    pub(crate) append: Append,
    pub(crate) reply: Reply,
}

/// Work of the writer since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Committed transactions that contain events.
    pub commits: u64,
    /// Appends in these transactions.
    pub appends: u64,
    /// Events in these transactions.
    pub events: u64,
    /// Number of events in the largest transaction.
    pub largest_commit_events: u64,
    /// Total time of all commits, in microseconds. It includes the sync, but not the inserts before it.
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

/// A handle to the writer thread. When it is dropped, the thread writes the queued appends and then ends.
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
            // A panic of the thread is already logged.
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
    /// Expected number of appends in the next group.
    expected: usize,
}

/// The result of an append, which is sent after the commit.
struct Outcome {
    reply: Reply,
    result: Result<Appended, AppendError>,
}

impl Writer {
    fn run(mut self, connection: &Connection) {
        let Err(error) = self.write_groups(connection) else { return };
        // Prevents the checkpoint on close, which would sync again.
        let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        tracing::error!(%error, "the log takes no more writes until it is opened again");
        let failure = stopped(&error);
        let Self { mut requests, head, .. } = self;
        // Closes the channel of the head, so that waiting readers and the health check learn that no events
        // will follow.
        drop(head);
        while let Some(request) = requests.blocking_recv() {
            let _ = request.reply.send(Err(failure.clone().into()));
        }
    }

    /// Writes groups until the log is dropped, or until a disk error.
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

    /// Collects the waiting appends, up to the limits of a group.
    ///
    /// The callers of the previous group often append again at once. So this group is expected to have as
    /// many appends as the previous group and the queue at its end had together. While it has fewer, the
    /// thread yields to the callers, so that their appends share one commit. There is no timer.
    fn gather(&mut self, first: Request) -> Vec<Request> {
        let mut events = first.append.events.len();
        let mut bytes = payload_bytes(&first);
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

    /// Writes a group and sends the results. After a disk error it is unknown which rows are on disk, so
    /// every append of the group fails. This includes refused ones, because a refusal may depend on a row of
    /// the same group.
    fn commit_group(&mut self, table: &mut Table<'_>, group: Vec<Request>) -> rusqlite::Result<()> {
        let mut outcomes = Vec::with_capacity(group.len());
        let mut recorded = Vec::with_capacity(group.len());
        let mut group = group.into_iter();
        let written = match self.checkpoints.failure() {
            Some(error) => Err(Failure::Disk(error)),
            None => write_group(table, &mut group, &mut outcomes, &mut recorded),
        };
        let commit_duration = match written {
            Ok(duration) => duration,
            Err(Failure::Locked(error)) => {
                refuse(&locked(&error), outcomes, group);
                return Ok(());
            }
            Err(Failure::Disk(error)) => {
                refuse(&stopped(&error), outcomes, group);
                return Err(error);
            }
        };
        souk_fail_points::reach("log-after-commit");
        let appends = outcomes.iter().filter(|outcome| outcome.result.is_ok()).count();
        self.publish(recorded, appends, commit_duration);
        self.expected = outcomes.len() + self.requests.len();
        for Outcome { reply, result } in outcomes {
            // `send` fails only if the caller was cancelled. The events of an accepted append are in the log.
            let _ = reply.send(result);
        }
        Ok(())
    }

    /// Publishes committed events to readers: first the events, then the new head.
    fn publish(&self, recorded: Vec<RecordedEvent>, appends: usize, commit_duration: Duration) {
        let Some(head) = recorded.last().map(|event| event.position) else { return };
        let events = recorded.len() as u64;
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.appends.fetch_add(appends as u64, Ordering::Relaxed);
        self.counters.events.fetch_add(events, Ordering::Relaxed);
        self.counters.largest.fetch_max(events, Ordering::Relaxed);
        let micros = u64::try_from(commit_duration.as_micros()).unwrap_or(u64::MAX);
        self.counters.commit_micros.fetch_add(micros, Ordering::Relaxed);
        self.ring.extend(recorded.into_iter());
        self.head.send_replace(head);
    }
}

/// Writes a group in one transaction, and returns the duration of the commit.
fn write_group(
    table: &mut Table<'_>,
    group: &mut impl Iterator<Item = Request>,
    outcomes: &mut Vec<Outcome>,
    recorded: &mut Vec<RecordedEvent>,
) -> Result<Duration, Failure> {
    table.begin().map_err(|error| if is_locked(&error) { Failure::Locked(error) } else { error.into() })?;
    for Request { append, reply } in group {
        let result = match table.append(append, recorded) {
            Ok(appended) => Ok(appended),
            Err(Refusal::Append(error)) => Err(error),
            Err(Refusal::Fatal(error)) => {
                outcomes.push(Outcome { reply, result: Err(stopped(&error).into()) });
                return Err(error.into());
            }
        };
        outcomes.push(Outcome { reply, result });
        souk_fail_points::reach("log-in-group");
    }
    let started = Instant::now();
    table.commit()?;
    Ok(started.elapsed())
}

/// Reason why a group was not written.
enum Failure {
    /// Another program has locked the file. Nothing was written.
    Locked(rusqlite::Error),
    /// The disk failed. It is unknown what was written.
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

/// Sends the failure to every append of a group: to those with an outcome and to the rest of the group.
fn refuse(failure: &StoreError, outcomes: Vec<Outcome>, rest: impl Iterator<Item = Request>) {
    let replies = outcomes.into_iter().map(|outcome| outcome.reply);
    for reply in replies.chain(rest.map(|request| request.reply)) {
        // `send` fails only if the caller was cancelled.
        let _ = reply.send(Err(failure.clone().into()));
    }
}

fn payload_bytes(request: &Request) -> usize {
    request.append.events.iter().map(|event| event.data.len()).sum()
}

fn locked(error: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(format!("another program has locked the log: {error}"))
}

fn stopped(error: &rusqlite::Error) -> StoreError {
    StoreError::Stopped(format!(
        "the log's writer has stopped: {error}; remove the cause and restart the shop"
    ))
}
