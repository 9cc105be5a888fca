//! Opens the file: checks and upgrades its format.

use std::path::{Path, PathBuf};
use std::time::Duration;

use souk_private_files::make_file;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// `SKCR` as the `SQLite` application id.
const APPLICATION_ID: i64 = 0x534B_4352;
/// Version of the file format that this program writes.
const FORMAT: i64 = 5;
/// Upgrades between formats: each entry has a format number and the statements that upgrade the format before
/// it.
const UPGRADES: [(i64, &str); 4] = [
    (2, include_str!("links.sql")),
    (3, include_str!("email_of_tokens.sql")),
    (4, include_str!("mail_counts.sql")),
    (5, include_str!("email_names.sql")),
];
/// Size of the connection pool.
const CONNECTIONS_MAX: u32 = 4;
/// Longest wait for a free connection or for the write lock.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Reason why the store of credentials can't be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be read or written.
    #[error("the credentials in {} can't be used: {reason}", .path.display())]
    Unusable {
        /// Path of the file.
        path: PathBuf,
        /// Message of the operating system or of `SQLite`.
        reason: String,
    },
    /// The file is not a store of credentials.
    #[error("{} is not a store of credentials", .path.display())]
    Foreign {
        /// Path of the file.
        path: PathBuf,
    },
    /// A newer program wrote the file.
    #[error("the credentials in {} have format {found}, this program reads {FORMAT}: use the newer program", .path.display())]
    NewerFormat {
        /// Path of the file.
        path: PathBuf,
        /// Format of the file.
        found: i64,
    },
}

/// Opens or creates the file, and returns the connection pool.
pub(crate) async fn pool(path: &Path) -> Result<SqlitePool, OpenError> {
    let unusable = |reason: String| OpenError::Unusable { path: path.to_owned(), reason };
    make_file(path).map_err(|error| unusable(error.to_string()))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(WAIT_MAX)
        // Deleted rows are overwritten with zeros.
        .pragma("secure_delete", "on");
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(WAIT_MAX)
        .connect_with(options)
        .await
        .map_err(|error| unusable(error.to_string()))?;
    prepare(path, &pool).await?;
    Ok(pool)
}

async fn prepare(path: &Path, pool: &SqlitePool) -> Result<(), OpenError> {
    let failed =
        |error: sqlx::Error| OpenError::Unusable { path: path.to_owned(), reason: error.to_string() };
    let number = async |sql| sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await.map_err(failed);
    if number("SELECT count(*) FROM sqlite_schema").await? == 0 {
        let mut transaction = pool.begin().await.map_err(failed)?;
        let head = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};");
        let schema = format!("{head}{}{}", include_str!("schema.sql"), upgrades_from(1));
        let schema = sqlx::raw_sql(sqlx::AssertSqlSafe(schema));
        schema.execute(&mut *transaction).await.map_err(failed)?;
        return transaction.commit().await.map_err(failed);
    }
    if number("PRAGMA application_id").await? != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let found = number("PRAGMA user_version").await?;
    if found > FORMAT {
        return Err(OpenError::NewerFormat { path: path.to_owned(), found });
    }
    if found < FORMAT {
        let mut transaction = pool.begin().await.map_err(failed)?;
        let upgrade = format!("PRAGMA user_version = {FORMAT};{}", upgrades_from(found));
        let upgrade = sqlx::raw_sql(sqlx::AssertSqlSafe(upgrade));
        upgrade.execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
    }
    Ok(())
}

/// Returns the statements that upgrade an older format to [`FORMAT`].
fn upgrades_from(format: i64) -> String {
    UPGRADES.iter().filter(|(upgraded, _)| *upgraded > format).map(|(_, sql)| *sql).collect()
}
