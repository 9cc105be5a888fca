//! Connections to the read models, shared fairly among callers.
//!
//! Invariant: one caller has at most [`CONNECTIONS_OF_CALLER_MAX`] connections at once, however many requests are
//! under way; further reads of that caller wait for each other and hold nothing, so that others find a connection.
//! A read that waits too long is refused and may be repeated.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use souk_domain::CustomerId;
use souk_http::guard::counted;
use souk_http::{Caller, Problem};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::database::failed;

/// Connections that read at once.
const CONNECTIONS_MAX: u32 = 8;
/// Connections of one caller at once: half, so that others find one while a single busy address, such as that of a
/// proxy, still uses more than one core.
const CONNECTIONS_OF_CALLER_MAX: usize = 4;
/// The longest wait for a connection.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);
/// Seconds after which a refused read may be repeated.
const RETRY_AFTER_S: u32 = 1;

/// The connections of one process.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: SqlitePool,
    shares: Shares,
}

/// The places of each caller that reads or waits; callers that do neither have no entry.
type Shares = Arc<Mutex<HashMap<Reader, Arc<Semaphore>>>>;

/// A caller as connections are shared: a subject wherever it is, else the client address.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Reader {
    Subject(CustomerId),
    Address(IpAddr),
    Unknown,
}

/// A connection, until it is dropped.
pub(crate) struct Read {
    connection: PoolConnection<Sqlite>,
    _share: Share,
}

/// A caller's place, or its wait for one.
struct Share {
    reader: Reader,
    shares: Shares,
    semaphore: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Readers {
    /// Over the read models in a file, whose tables are there before the first read.
    pub(crate) fn open(read_models: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(read_models).read_only(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_MAX)
            .connect_lazy_with(options);
        Self { pool, shares: Shares::default() }
    }

    /// A connection for a caller, once one of the caller's places is free.
    pub(crate) async fn of(&self, caller: &Caller) -> Result<Read, Problem> {
        let mut share = Share::of(Reader::of(caller), Arc::clone(&self.shares));
        let place = tokio::time::timeout(ACQUIRE_MAX, share.take()).await;
        place.map_err(|_| too_many())?;
        let connection = self.pool.acquire().await.map_err(failed)?;
        Ok(Read { connection, _share: share })
    }
}

fn too_many() -> Problem {
    let detail =
        format!("{CONNECTIONS_OF_CALLER_MAX} reads of one caller run at once; this one waited too long");
    Problem::new("rate-limited", detail).retry_after(RETRY_AFTER_S)
}

impl Reader {
    fn of(caller: &Caller) -> Self {
        match (&caller.subject, caller.address) {
            (Some(subject), _) => Self::Subject(subject.clone()),
            (None, Some(address)) => Self::Address(counted(address)),
            (None, None) => Self::Unknown,
        }
    }
}

impl Share {
    fn of(reader: Reader, shares: Shares) -> Self {
        let new = || Arc::new(Semaphore::new(CONNECTIONS_OF_CALLER_MAX));
        let semaphore = Arc::clone(locked(&shares).entry(reader.clone()).or_insert_with(new));
        Self { reader, shares, semaphore: Some(semaphore), permit: None }
    }

    async fn take(&mut self) {
        if let Some(semaphore) = &self.semaphore {
            self.permit = Arc::clone(semaphore).acquire_owned().await.ok();
        }
    }
}

impl Drop for Share {
    /// Gives the place back, and forgets the caller with the last one.
    fn drop(&mut self) {
        let mut shares = locked(&self.shares);
        self.permit = None;
        self.semaphore = None;
        if shares.get(&self.reader).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            shares.remove(&self.reader);
        }
    }
}

fn locked(shares: &Shares) -> MutexGuard<'_, HashMap<Reader, Arc<Semaphore>>> {
    shares.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deref for Read {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Read {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for a read that is not held up.
    const SOON: Duration = Duration::from_millis(200);

    fn caller(subject: &str) -> Caller {
        Caller { subject: CustomerId::parse(subject).ok(), ..Caller::default() }
    }

    fn readers(folder: &Path) -> Readers {
        let file = folder.join("read-models.sqlite");
        std::fs::write(&file, b"").unwrap();
        Readers::open(&file)
    }

    #[tokio::test]
    async fn one_caller_leaves_connections_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path());
        let ada = caller("ada");
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_OF_CALLER_MAX {
            held.push(readers.of(&ada).await.ok().unwrap());
        }
        let further = tokio::time::timeout(SOON, readers.of(&ada)).await;
        assert!(further.is_err(), "a further read of the same caller did not wait");
        assert!(tokio::time::timeout(SOON, readers.of(&caller("bob"))).await.unwrap().is_ok());
        held.pop();
        assert!(tokio::time::timeout(SOON, readers.of(&ada)).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn callers_that_neither_read_nor_wait_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path());
        let from = |last: u8| Caller { address: Some([127, 0, 0, last].into()), ..Caller::default() };
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_OF_CALLER_MAX {
            held.push(readers.of(&from(1)).await.ok().unwrap());
        }
        assert!(tokio::time::timeout(SOON, readers.of(&from(1))).await.is_err());
        assert!(readers.of(&from(2)).await.is_ok());
        assert_eq!(locked(&readers.shares).len(), 1);
        drop(held);
        assert!(locked(&readers.shares).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_waits_too_long_behind_the_callers_own_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path());
        let semaphore = Arc::new(Semaphore::new(0));
        locked(&readers.shares).insert(Reader::Unknown, Arc::clone(&semaphore));
        let problem = readers.of(&Caller::default()).await.err().unwrap();
        assert_eq!(problem.code(), "rate-limited");
    }
}
