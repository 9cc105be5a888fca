//! Connections to the database of the read models, shared among callers.
//!
//! Invariant: one caller has at most [`CONNECTIONS_OF_CALLER_MAX`] connections at once, however many requests
//! it has sent. More reads of the same caller wait without a connection, so that other callers get one. A
//! read that waits longer than [`ACQUIRE_MAX`] gets a 429 or 503 problem, and the client may try again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use souk_domain::CustomerId;
use souk_http::guard::counted_address;
use souk_http::{Caller, Problem};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::database::database_problem;

/// Maximum number of open connections.
const CONNECTIONS_MAX: u32 = 8;
/// Maximum number of connections that one caller has at once. With half of all connections, a single busy
/// address, such as that of a proxy, still uses more than one core, and other callers still get a connection.
const CONNECTIONS_OF_CALLER_MAX: usize = 4;
/// Maximum wait for a connection.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);
/// Seconds after which the client may repeat a rejected read.
const RETRY_AFTER_S: u32 = 1;

/// Pool of the connections of this process.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: SqlitePool,
    shares: Shares,
}

/// Semaphores that limit the connections of each caller. Only callers that read or wait have an entry.
type Shares = Arc<Mutex<HashMap<CallerKey, Arc<Semaphore>>>>;

/// Key by which connections are counted: the subject of a signed-in caller, otherwise the client address.
#[derive(Clone, PartialEq, Eq, Hash)]
enum CallerKey {
    Subject(CustomerId),
    Address(IpAddr),
    Unknown,
}

/// Connection of a caller. Dropping it gives it back.
pub(crate) struct ReadConnection {
    connection: PoolConnection<Sqlite>,
    _share: Share,
}

/// Permit of a caller for one connection, or the wait for a permit.
struct Share {
    caller: CallerKey,
    shares: Shares,
    semaphore: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Readers {
    /// Opens the read models in a file. Their tables must exist before the first read.
    pub(crate) fn open(read_models: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(read_models).read_only(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_MAX)
            .connect_lazy_with(options);
        Self { pool, shares: Shares::default() }
    }

    /// Waits until the caller has fewer connections than the maximum, then returns a connection.
    pub(crate) async fn connection_for(&self, caller: &Caller) -> Result<ReadConnection, Problem> {
        let mut share = Share::new(CallerKey::of(caller), Arc::clone(&self.shares));
        let permit = tokio::time::timeout(ACQUIRE_MAX, share.acquire()).await;
        permit.map_err(|_| too_many())?;
        let connection = self.pool.acquire().await.map_err(database_problem)?;
        Ok(ReadConnection { connection, _share: share })
    }
}

fn too_many() -> Problem {
    let detail = format!(
        "at most {CONNECTIONS_OF_CALLER_MAX} reads of one caller run at once, and this read waited too long"
    );
    Problem::new("rate-limited", detail).retry_after(RETRY_AFTER_S)
}

impl CallerKey {
    fn of(caller: &Caller) -> Self {
        match (&caller.subject, caller.address) {
            (Some(subject), _) => Self::Subject(subject.clone()),
            (None, Some(address)) => Self::Address(counted_address(address)),
            (None, None) => Self::Unknown,
        }
    }
}

impl Share {
    fn new(caller: CallerKey, shares: Shares) -> Self {
        let new_semaphore = || Arc::new(Semaphore::new(CONNECTIONS_OF_CALLER_MAX));
        let semaphore = Arc::clone(locked(&shares).entry(caller.clone()).or_insert_with(new_semaphore));
        Self { caller, shares, semaphore: Some(semaphore), permit: None }
    }

    async fn acquire(&mut self) {
        if let Some(semaphore) = &self.semaphore {
            self.permit = Arc::clone(semaphore).acquire_owned().await.ok();
        }
    }
}

impl Drop for Share {
    /// Gives the permit back, and removes the caller's entry with the last permit or wait.
    fn drop(&mut self) {
        let mut shares = locked(&self.shares);
        self.permit = None;
        self.semaphore = None;
        if shares.get(&self.caller).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            shares.remove(&self.caller);
        }
    }
}

fn locked(shares: &Shares) -> MutexGuard<'_, HashMap<CallerKey, Arc<Semaphore>>> {
    shares.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReadConnection {
    /// Begins a read transaction: all its statements see the same state of the read models.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, Problem> {
        self.connection.begin().await.map_err(database_problem)
    }
}

impl Deref for ReadConnection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteJournalMode;

    use super::*;

    /// Enough time for a read that does not have to wait.
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
    async fn one_caller_leaves_connections_for_other_callers() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path());
        let ada = caller("ada");
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS_OF_CALLER_MAX {
            connections.push(readers.connection_for(&ada).await.ok().unwrap());
        }
        let further = tokio::time::timeout(SOON, readers.connection_for(&ada)).await;
        assert!(further.is_err(), "a further read of the same caller did not wait");
        assert!(tokio::time::timeout(SOON, readers.connection_for(&caller("bob"))).await.unwrap().is_ok());
        connections.pop();
        assert!(tokio::time::timeout(SOON, readers.connection_for(&ada)).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn callers_without_reads_and_waits_have_no_entry() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path());
        let from = |last: u8| Caller { address: Some([127, 0, 0, last].into()), ..Caller::default() };
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS_OF_CALLER_MAX {
            connections.push(readers.connection_for(&from(1)).await.ok().unwrap());
        }
        assert!(tokio::time::timeout(SOON, readers.connection_for(&from(1))).await.is_err());
        assert!(readers.connection_for(&from(2)).await.is_ok());
        assert_eq!(locked(&readers.shares).len(), 1);
        drop(connections);
        assert!(locked(&readers.shares).is_empty());
    }

    #[tokio::test]
    async fn all_statements_of_a_transaction_see_the_same_state() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("read-models.sqlite");
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let writer = SqlitePool::connect_with(options.journal_mode(SqliteJournalMode::Wal)).await.unwrap();
        sqlx::query("CREATE TABLE orders (key TEXT)").execute(&writer).await.unwrap();
        let readers = Readers::open(&file);
        let mut connection = readers.connection_for(&caller("ada")).await.ok().unwrap();
        let count = || sqlx::query_scalar::<_, i64>("SELECT count(*) FROM orders");
        let mut transaction = connection.begin().await.ok().unwrap();
        assert_eq!(count().fetch_one(&mut *transaction).await.unwrap(), 0);
        sqlx::query("INSERT INTO orders VALUES ('1')").execute(&writer).await.unwrap();
        assert_eq!(count().fetch_one(&mut *transaction).await.unwrap(), 0);
        drop(transaction);
        assert_eq!(count().fetch_one(&mut *connection).await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_waits_too_long_for_other_reads_of_its_caller_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(folder.path());
        let semaphore = Arc::new(Semaphore::new(0));
        locked(&readers.shares).insert(CallerKey::Unknown, Arc::clone(&semaphore));
        let problem = readers.connection_for(&Caller::default()).await.err().unwrap();
        assert_eq!(problem.code(), "rate-limited");
    }
}
