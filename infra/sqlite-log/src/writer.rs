//! The writer thread: group commit.
//!
//! It takes whatever waits, judges each append by itself, writes all that fit in one transaction,
//! commits once and then answers. While it commits, the next group gathers.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lru::LruCache;
use rusqlite::Connection;
use souk_eventsourcing::{
    Append, AppendError, Appended, Expected, Position, RecordedEvent, Revision, StoreError, StreamName,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::OpenError;
use crate::ring::Ring;
use crate::row;

/// Appends that may wait for the writer; more wait for a place.
const QUEUE_APPENDS_MAX: usize = 4_096;
/// Events in one transaction.
const GROUP_EVENTS_MAX: usize = 4_096;
/// Bytes of payloads in one transaction.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Streams whose last revision the writer remembers.
const HEADS_MAX: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");
/// Commits after which the WAL is checkpointed beside the writer.
const CHECKPOINT_COMMITS: u64 = 500;
/// Events after which it is, when that comes first.
const CHECKPOINT_EVENTS: u64 = 10_000;
/// The size of the WAL, in bytes, beyond which the writer waits for the checkpoint.
const WAL_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// An append on its way.
pub(crate) struct Request {
    pub(crate) append: Append,
    pub(crate) answer: oneshot::Sender<Result<Appended, AppendError>>,
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
}

#[derive(Default)]
struct AtomicCounters {
    commits: AtomicU64,
    appends: AtomicU64,
    events: AtomicU64,
    largest: AtomicU64,
}

/// The way to the writer; dropping it ends the thread.
pub(crate) struct WriterHandle {
    queue: Option<mpsc::Sender<Request>>,
    counters: Arc<AtomicCounters>,
    thread: Option<std::thread::JoinHandle<()>>,
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
    let checkpoint = start_checkpointer(path.clone())?;
    let position = *head.borrow();
    let writer = Writer {
        requests,
        ring,
        position,
        head,
        heads: LruCache::new(HEADS_MAX),
        counters: Arc::clone(&counters),
        checkpoint,
        checkpointed: Counters::default(),
    };
    let thread = std::thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || writer.run(connection))
        .map_err(|error| OpenError::Unusable { path, reason: error.to_string() })?;
    Ok(WriterHandle { queue: Some(queue), counters, thread: Some(thread) })
}

/// A thread that moves the WAL into the database while the writer goes on.
fn start_checkpointer(path: PathBuf) -> Result<std::sync::mpsc::SyncSender<()>, OpenError> {
    let (wake, woken) = std::sync::mpsc::sync_channel::<()>(1);
    let spawned = std::thread::Builder::new().name("log-checkpoint".to_owned()).spawn({
        let path = path.clone();
        move || {
            let Ok(connection) = Connection::open(&path) else { return };
            while woken.recv().is_ok() {
                // A checkpoint that could not finish is made up for by the next.
                let _ = connection.pragma_query_value(None, "wal_checkpoint(PASSIVE)", |_| Ok(()));
            }
        }
    });
    spawned.map_err(|error| OpenError::Unusable { path, reason: error.to_string() })?;
    Ok(wake)
}

struct Writer {
    requests: mpsc::Receiver<Request>,
    ring: Arc<Ring>,
    position: Position,
    head: watch::Sender<Position>,
    heads: LruCache<StreamName, Option<Revision>>,
    counters: Arc<AtomicCounters>,
    checkpoint: std::sync::mpsc::SyncSender<()>,
    /// What was written when a checkpoint was last asked for.
    checkpointed: Counters,
}

/// An append that was written and waits for the commit.
struct Written {
    answer: oneshot::Sender<Result<Appended, AppendError>>,
    appended: Appended,
    events: Vec<RecordedEvent>,
}

impl Writer {
    fn run(mut self, connection: Connection) {
        while let Some(first) = self.requests.blocking_recv() {
            let group = self.gather(first);
            if let Err(failure) = self.commit_group(&connection, group) {
                self.refuse_for_ever(&failure);
                return;
            }
            self.checkpoint_if_due(&connection);
        }
    }

    /// What waits right now, up to the limits of a group.
    fn gather(&mut self, first: Request) -> Vec<Request> {
        let size = |request: &Request| request.append.events.iter().map(|event| event.data.len()).sum::<usize>();
        let (mut events, mut bytes) = (first.append.events.len(), size(&first));
        let mut group = vec![first];
        while events < GROUP_EVENTS_MAX && bytes < GROUP_BYTES_MAX {
            let Ok(next) = self.requests.try_recv() else { break };
            events += next.append.events.len();
            bytes += size(&next);
            group.push(next);
        }
        group
    }

    /// Writes a group and answers it. An error means that nothing of it can be known to be on disk.
    fn commit_group(&mut self, connection: &Connection, group: Vec<Request>) -> Result<(), StoreError> {
        let head_before = self.position;
        let mut written = Vec::with_capacity(group.len());
        let mut refused = Vec::new();
        let mut group = group.into_iter();
        let result = self.write_group(connection, &mut group, &mut written, &mut refused);
        if let Err(error) = result {
            let failure = StoreError::Unavailable(format!("the log's writer stopped: {error}"));
            let answers = written.into_iter().map(|done| done.answer).chain(group.map(|request| request.answer));
            for answer in answers {
                let _ = answer.send(Err(failure.clone().into()));
            }
            return Err(failure);
        }
        self.count(&written, self.position.0 - head_before.0);
        self.ring.extend(written.iter_mut().flat_map(|done| std::mem::take(&mut done.events)));
        if self.position > head_before {
            self.head.send_replace(self.position);
        }
        // Whoever asked may have gone away; the events are there all the same.
        for done in written {
            let _ = done.answer.send(Ok(done.appended));
        }
        for (answer, error) in refused {
            let _ = answer.send(Err(error));
        }
        Ok(())
    }

    #[expect(clippy::type_complexity, reason = "a list of answers, used here only")]
    fn write_group(
        &mut self,
        connection: &Connection,
        group: &mut std::vec::IntoIter<Request>,
        written: &mut Vec<Written>,
        refused: &mut Vec<(oneshot::Sender<Result<Appended, AppendError>>, AppendError)>,
    ) -> rusqlite::Result<()> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for Request { append, answer } in group {
            match self.write_append(connection, append) {
                Ok((appended, events)) => written.push(Written { answer, appended, events }),
                Err(Refusal::Append(error)) => refused.push((answer, error)),
                Err(Refusal::Fatal(error)) => {
                    let failure = StoreError::Unavailable(format!("the log's writer stopped: {error}"));
                    let _ = answer.send(Err(failure.into()));
                    return Err(error);
                }
            }
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn write_append(
        &mut self,
        connection: &Connection,
        append: Append,
    ) -> Result<(Appended, Vec<RecordedEvent>), Refusal> {
        let Append { stream, expected, events } = append;
        let last = self.last_revision(connection, &stream)?;
        if !matches!(expected, Expected::Any) && expected != Expected::from_last(last) {
            return Err(Refusal::Append(AppendError::Conflict { stream, current: last }));
        }
        let first_revision = Revision::after(last);
        let several = events.len() > 1;
        if several {
            connection.prepare_cached("SAVEPOINT append")?.execute([])?;
        }
        let position_before = self.position;
        let mut recorded = Vec::with_capacity(events.len());
        let mut insert = connection.prepare_cached(row::INSERT)?;
        for (event, revision) in events.into_iter().zip(first_revision.0..) {
            let position = Position(self.position.0 + 1);
            let revision = Revision(revision);
            match row::insert(&mut insert, position, &stream, revision, &event) {
                Ok(()) => {}
                Err(error) if is_unique_violation(&error) => {
                    self.position = position_before;
                    if several {
                        connection.prepare_cached("ROLLBACK TO append")?.execute([])?;
                        connection.prepare_cached("RELEASE append")?.execute([])?;
                    }
                    return Err(Refusal::Append(AppendError::Duplicate { stream }));
                }
                Err(error) => return Err(Refusal::Fatal(error)),
            }
            self.position = position;
            recorded.push(RecordedEvent { position, stream: stream.clone(), revision, event });
        }
        if several {
            connection.prepare_cached("RELEASE append")?.execute([])?;
        }
        let positions: Vec<Position> = recorded.iter().map(|event| event.position).collect();
        if let Some(last) = recorded.last() {
            self.heads.put(stream, Some(last.revision));
        }
        Ok((Appended { first_revision, positions }, recorded))
    }

    fn last_revision(&mut self, connection: &Connection, stream: &StreamName) -> rusqlite::Result<Option<Revision>> {
        if let Some(last) = self.heads.get(stream) {
            return Ok(*last);
        }
        let sql = "SELECT max(revision) FROM events WHERE stream = ?1";
        let last: Option<u64> = connection.prepare_cached(sql)?.query_row([stream.as_str()], |row| row.get(0))?;
        let last = last.map(Revision);
        self.heads.put(stream.clone(), last);
        Ok(last)
    }

    fn count(&self, written: &[Written], events: u64) {
        if events > 0 {
            self.counters.commits.fetch_add(1, Ordering::Relaxed);
        }
        self.counters.appends.fetch_add(written.len() as u64, Ordering::Relaxed);
        self.counters.events.fetch_add(events, Ordering::Relaxed);
        self.counters.largest.fetch_max(events, Ordering::Relaxed);
    }

    /// The handle is not used again: what a failed sync left behind can't be known.
    fn refuse_for_ever(&mut self, failure: &StoreError) {
        tracing::error!(%failure, "the log takes no more writes");
        while let Some(request) = self.requests.blocking_recv() {
            let _ = request.answer.send(Err(failure.clone().into()));
        }
    }

    /// Has the WAL moved into the database, beside the writer while that keeps up.
    fn checkpoint_if_due(&mut self, connection: &Connection) {
        let commits = self.counters.commits.load(Ordering::Relaxed);
        let events = self.counters.events.load(Ordering::Relaxed);
        let is_due = commits - self.checkpointed.commits >= CHECKPOINT_COMMITS
            || events - self.checkpointed.events >= CHECKPOINT_EVENTS;
        if !is_due {
            return;
        }
        (self.checkpointed.commits, self.checkpointed.events) = (commits, events);
        if wal_bytes(connection) > WAL_BYTES_MAX {
            // A reader that is in the way leaves the rest to the next time.
            let _ = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
        } else {
            // A full channel means that one is under way.
            let _ = self.checkpoint.try_send(());
        }
    }
}

enum Refusal {
    Append(AppendError),
    Fatal(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fatal(error)
    }
}

fn is_unique_violation(error: &rusqlite::Error) -> bool {
    const UNIQUE: i32 = 2067;
    const PRIMARY_KEY: i32 = 1555;
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(UNIQUE | PRIMARY_KEY))
}

/// The size of the WAL's file.
fn wal_bytes(connection: &Connection) -> u64 {
    let path = connection.path().map(|path| format!("{path}-wal"));
    path.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |metadata| metadata.len())
}
