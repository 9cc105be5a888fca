//! Opening the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use souk_private_files::make_file;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// `SKCR` as the `SQLite` application id.
const APPLICATION_ID: i64 = 0x534B_4352;
/// The format that this program writes.
const FORMAT: i64 = 5;
/// The statements that make each format from the one before, with the number of the format that they make.
const UPGRADES: [(i64, &str); 4] = [
    (2, include_str!("links.sql")),
    (3, include_str!("email_of_tokens.sql")),
    (4, include_str!("mail_counts.sql")),
    (5, include_str!("email_names.sql")),
];
/// Connections at once.
const CONNECTIONS_MAX: u32 = 4;
/// How long a request waits for a connection, or for another that writes.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Why the store can't be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It can't be read or written.
    #[error("the credentials in {} can't be used: {reason}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It is another kind of file.
    #[error("{} holds no credentials", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer program made it.
    #[error("the credentials in {} have format {found}, this program reads {FORMAT}: use the newer program", .path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
}

/// Opens or makes the file.
pub(crate) async fn pool(path: &Path) -> Result<SqlitePool, OpenError> {
    let unusable = |reason: String| OpenError::Unusable { path: path.to_owned(), reason };
    make_file(path).map_err(|error| unusable(error.to_string()))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(WAIT_MAX)
        // What is deleted is overwritten with zeros.
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

/// The statements that make this program's format from an older one.
fn upgrades_from(format: i64) -> String {
    UPGRADES.iter().filter(|(makes, _)| *makes > format).map(|(_, sql)| *sql).collect()
}
