//! The store of credentials: one `SQLite` file for passwords, sessions, one-time tokens, links to identity
//! providers and the list of sign-ins. Every write is on disk when its call returns. Deleted rows are
//! overwritten with zeros.

mod email_names;
mod mail_counts;
mod open;
mod passwords;
mod rows;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use souk_domain::{CustomerId, EmailHash};
use souk_sign_in::credentials::{SIGN_INS_KEPT, StoredSession, UnlinkOutcome};
use souk_sign_in::session::ACCESS_TTL;
use souk_sign_in::{
    Credentials, CredentialsUnavailable, LinksAtReset, MailCount, MailedTo, OneTimeToken, Purpose,
    ResetsAtChange, Session, SignIn,
};
use sqlx::SqlitePool;
use uuid::Uuid;

pub use open::OpenError;

use rows::{SessionRow, SignInRow, TokenRow, TryFromRow as _, document, failed};

/// File name of the store in the data folder.
pub const CREDENTIALS_FILE: &str = "credentials.sqlite";

/// Limit of rows of each kind that one step of the sweep deletes.
const SWEPT_ROWS_MAX: i64 = 1_000;
/// Limit of sessions of one person that are read together.
const SESSIONS_MAX: i64 = 10_000;

/// Limit of attempts to truncate the write-ahead log while a reader uses it.
const TRUNCATE_TRIES_MAX: u32 = 100;
/// Wait between two attempts to truncate the write-ahead log.
const TRUNCATE_WAIT: Duration = Duration::from_millis(10);

/// Limit of identity providers that are listed for one person.
const LINKS_MAX: i64 = 100;

/// The store of credentials.
pub struct SqliteCredentials {
    pool: SqlitePool,
}

/// Result of a call to the store.
type StoreResult<T> = Result<T, CredentialsUnavailable>;

impl SqliteCredentials {
    /// Opens the store in a data folder, or creates it. The caller must hold the lock of the data folder.
    pub async fn open(folder: &Path) -> Result<Self, OpenError> {
        Ok(Self { pool: open::pool(&folder.join(CREDENTIALS_FILE)).await? })
    }

    /// Closes the connections. Later calls fail.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl Credentials for SqliteCredentials {
    async fn password(&self, user: &CustomerId) -> StoreResult<Option<String>> {
        let statement = sqlx::query_scalar("SELECT hash FROM passwords WHERE person = $1");
        statement.bind(user.as_str()).fetch_optional(&self.pool).await.map_err(failed)
    }

    async fn set_password(&self, user: &CustomerId, hash: &str) -> StoreResult<()> {
        passwords::set(&self.pool, user.as_str(), hash).await
    }

    async fn change_password(
        &self,
        user: &CustomerId,
        old: &str,
        new: &str,
        resets: ResetsAtChange,
    ) -> StoreResult<bool> {
        passwords::change(&self.pool, user.as_str(), old, new, resets).await
    }

    async fn reset_password(
        &self,
        token: &[u8; 32],
        new: &str,
        links: LinksAtReset,
        now: Timestamp,
    ) -> StoreResult<Option<CustomerId>> {
        passwords::reset(&self.pool, token, new, links, now).await
    }

    async fn replace_password(&self, user: &CustomerId, old: &str, new: &str) -> StoreResult<bool> {
        let statement = sqlx::query("UPDATE passwords SET hash = $3 WHERE person = $1 AND hash = $2");
        let statement = statement.bind(user.as_str()).bind(old).bind(new);
        Ok(statement.execute(&self.pool).await.map_err(failed)?.rows_affected() == 1)
    }

    async fn keep_email(
        &self,
        user: &CustomerId,
        name: &EmailHash,
        alias: &EmailHash,
        password: Option<&str>,
    ) -> StoreResult<()> {
        email_names::keep(&self.pool, user, name, alias, password).await
    }

    async fn email_alias(&self, name: &EmailHash) -> StoreResult<Option<EmailHash>> {
        email_names::alias_of(&self.pool, name).await
    }

    async fn linked_account(&self, issuer: &str, subject: &str) -> StoreResult<Option<CustomerId>> {
        let statement = sqlx::query_scalar("SELECT person FROM links WHERE issuer = $1 AND subject = $2");
        let found: Option<String> =
            statement.bind(issuer).bind(subject).fetch_optional(&self.pool).await.map_err(failed)?;
        Ok(found.and_then(|person| CustomerId::parse(&person).ok()))
    }

    async fn link(&self, issuer: &str, subject: &str, user: &CustomerId, now: Timestamp) -> StoreResult<()> {
        let sql = "INSERT INTO links VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (issuer, subject) DO UPDATE SET person = excluded.person";
        let statement = sqlx::query(sql).bind(issuer).bind(subject).bind(user.as_str());
        statement.bind(now.as_microsecond()).execute(&self.pool).await.map_err(failed)?;
        Ok(())
    }

    async fn unlink(&self, issuer: &str, user: &CustomerId) -> StoreResult<UnlinkOutcome> {
        // One statement, so that two concurrent calls never remove both ways to sign in.
        let statement = sqlx::query(include_str!("unlink.sql")).bind(issuer).bind(user.as_str());
        if statement.execute(&self.pool).await.map_err(failed)?.rows_affected() > 0 {
            return Ok(UnlinkOutcome::Done);
        }
        let is_linked = self.links_of(user).await?.iter().any(|linked| linked == issuer);
        Ok(if is_linked { UnlinkOutcome::LastSignInMethod } else { UnlinkOutcome::NotLinked })
    }

    async fn links_of(&self, user: &CustomerId) -> StoreResult<Vec<String>> {
        let statement =
            sqlx::query_scalar("SELECT issuer FROM links WHERE person = $1 ORDER BY issuer LIMIT $2");
        statement.bind(user.as_str()).bind(LINKS_MAX).fetch_all(&self.pool).await.map_err(failed)
    }

    async fn open_session(&self, session: &Session) -> StoreResult<()> {
        let statement = sqlx::query("INSERT INTO families VALUES ($1, $2, $3, NULL, 0, $4)");
        let statement = statement.bind(session.id.as_bytes().to_vec()).bind(session.user.as_str());
        let statement = statement.bind(session.expires_at.as_microsecond()).bind(document(session)?);
        statement.execute(&self.pool).await.map_err(failed)?;
        Ok(())
    }

    async fn session(&self, id: Uuid) -> StoreResult<Option<StoredSession>> {
        let statement = sqlx::query_as::<_, SessionRow>("SELECT version, doc FROM families WHERE id = $1");
        let row = statement.bind(id.as_bytes().to_vec()).fetch_optional(&self.pool).await.map_err(failed)?;
        row.map(StoredSession::of_row).transpose()
    }

    async fn replace_session(&self, StoredSession { session, version }: &StoredSession) -> StoreResult<bool> {
        let sql = "UPDATE families SET expires_at = $3, revoked_at = $4, version = version + 1, doc = $5 \
                   WHERE id = $1 AND version = $2";
        let statement = sqlx::query(sql).bind(session.id.as_bytes().to_vec()).bind(version);
        let statement = statement.bind(session.expires_at.as_microsecond());
        let statement = statement.bind(session.revoked_at.map(Timestamp::as_microsecond));
        let updated = statement.bind(document(session)?).execute(&self.pool).await.map_err(failed)?;
        Ok(updated.rows_affected() == 1)
    }

    async fn open_sessions_of(&self, user: &CustomerId, now: Timestamp) -> StoreResult<Vec<StoredSession>> {
        let sql = "SELECT version, doc FROM families \
                   WHERE person = $1 AND revoked_at IS NULL AND expires_at > $2 LIMIT $3";
        let statement = sqlx::query_as::<_, SessionRow>(sql).bind(user.as_str());
        let statement = statement.bind(now.as_microsecond()).bind(SESSIONS_MAX);
        let rows = statement.fetch_all(&self.pool).await.map_err(failed)?;
        rows.into_iter().map(StoredSession::of_row).collect()
    }

    async fn revoked_since(&self, since: Timestamp) -> StoreResult<Vec<Session>> {
        let sql = "SELECT version, doc FROM families WHERE revoked_at >= $1";
        let statement = sqlx::query_as::<_, SessionRow>(sql).bind(since.as_microsecond());
        let rows = statement.fetch_all(&self.pool).await.map_err(failed)?;
        rows.into_iter().map(|row| StoredSession::of_row(row).map(|stored| stored.session)).collect()
    }

    async fn keep_one_time(&self, token: &OneTimeToken) -> StoreResult<()> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        sqlx::query("DELETE FROM one_time_tokens WHERE person = $1 AND purpose = $2")
            .bind(token.user.as_str())
            .bind(token.purpose.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO one_time_tokens VALUES ($1, $2, $3, $4, $5)")
            .bind(token.hash.to_vec())
            .bind(token.user.as_str())
            .bind(token.purpose.as_str())
            .bind(token.expires_at.as_microsecond())
            .bind(token.email_hash.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    async fn one_time(
        &self,
        hash: &[u8; 32],
        purpose: Purpose,
        now: Timestamp,
    ) -> StoreResult<Option<MailedTo>> {
        let sql = "SELECT person, email_hash FROM one_time_tokens \
                   WHERE hash = $1 AND purpose = $2 AND expires_at > $3";
        let statement = sqlx::query_as::<_, TokenRow>(sql).bind(hash.to_vec());
        let statement = statement.bind(purpose.as_str()).bind(now.as_microsecond());
        let row = statement.fetch_optional(&self.pool).await.map_err(failed)?;
        row.map(MailedTo::of_row).transpose()
    }

    async fn take_one_time(
        &self,
        hash: &[u8; 32],
        purpose: Purpose,
        now: Timestamp,
    ) -> StoreResult<Option<CustomerId>> {
        let sql = "DELETE FROM one_time_tokens WHERE hash = $1 AND purpose = $2 RETURNING person, expires_at";
        let statement = sqlx::query_as::<_, (String, i64)>(sql).bind(hash.to_vec()).bind(purpose.as_str());
        let taken = statement.fetch_optional(&self.pool).await.map_err(failed)?;
        let taken = taken.filter(|(_, expires_at)| *expires_at > now.as_microsecond());
        Ok(taken.and_then(|(user, _)| CustomerId::parse(&user).ok()))
    }

    async fn count_mail(&self, counts: &[MailCount], now: Timestamp) -> StoreResult<bool> {
        mail_counts::count(&self.pool, counts, now).await
    }

    async fn note(&self, sign_in: &SignIn) -> StoreResult<()> {
        let statement = sqlx::query("INSERT INTO sign_ins VALUES ($1, $2, $3, $4, $5, $6, $7)");
        let statement = statement.bind(sign_in.id.as_bytes().to_vec()).bind(sign_in.at.as_microsecond());
        let statement = statement.bind(sign_in.user.as_ref().map(CustomerId::as_str));
        let statement = statement.bind(sign_in.email_hash.as_ref().map(EmailHash::as_str));
        let statement = statement.bind(sign_in.kind.as_str());
        let statement = statement.bind(sign_in.address.as_deref()).bind(sign_in.user_agent.as_deref());
        statement.execute(&self.pool).await.map_err(failed)?;
        Ok(())
    }

    async fn sign_ins(
        &self,
        user: Option<&CustomerId>,
        before: Option<Uuid>,
        limit: u32,
    ) -> StoreResult<Vec<SignIn>> {
        let before = before.unwrap_or(Uuid::max()).as_bytes().to_vec();
        let of_all = "SELECT id, at, person, email_hash, kind, address, user_agent FROM sign_ins \
                      WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let of_one = "SELECT id, at, person, email_hash, kind, address, user_agent FROM sign_ins \
                      WHERE id < $1 AND person = $3 ORDER BY id DESC LIMIT $2";
        let sql = if user.is_some() { of_one } else { of_all };
        let statement = sqlx::query_as::<_, SignInRow>(sql).bind(before).bind(limit);
        let statement = match user {
            Some(user) => statement.bind(user.as_str()),
            None => statement,
        };
        let rows = statement.fetch_all(&self.pool).await.map_err(failed)?;
        rows.into_iter().map(SignIn::of_row).collect()
    }

    async fn accounts_with_data(&self, people: &[CustomerId]) -> StoreResult<Vec<CustomerId>> {
        let names: Vec<&str> = people.iter().map(CustomerId::as_str).collect();
        let names = serde_json::to_string(&names).map_err(rows::damaged)?;
        let statement = sqlx::query_scalar::<_, String>(include_str!("kept_of.sql")).bind(names);
        let found = statement.fetch_all(&self.pool).await.map_err(failed)?;
        Ok(found.iter().filter_map(|person| CustomerId::parse(person).ok()).collect())
    }

    async fn forget(&self, user: &CustomerId, email_hashes: &[EmailHash]) -> StoreResult<()> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        for sql in [
            "DELETE FROM passwords WHERE person = $1",
            // Ended sessions stay until their access tokens have expired.
            "DELETE FROM families WHERE person = $1 AND revoked_at IS NULL",
            "DELETE FROM one_time_tokens WHERE person = $1",
            "DELETE FROM links WHERE person = $1",
            // A restored older copy of this file may have an e-mail address that is recorded nowhere else.
            "DELETE FROM sign_ins WHERE email_hash IN (SELECT name FROM email_names WHERE person = $1)",
            "DELETE FROM email_names WHERE person = $1",
            "DELETE FROM sign_ins WHERE person = $1",
        ] {
            let statement = sqlx::query(sql).bind(user.as_str());
            statement.execute(&mut *transaction).await.map_err(failed)?;
        }
        for hash in email_hashes {
            let statement = sqlx::query("DELETE FROM sign_ins WHERE email_hash = $1").bind(hash.as_str());
            statement.execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        truncate_wal(&self.pool).await
    }

    async fn sweep(&self, now: Timestamp) -> StoreResult<()> {
        let now_micros = now.as_microsecond();
        // An ended session is kept until its access tokens have expired, so that they are refused until then.
        let ended = (now - ACCESS_TTL - ACCESS_TTL).as_microsecond();
        let old = (now - SIGN_INS_KEPT).as_microsecond();
        for (sql, until) in [
            (
                "DELETE FROM families WHERE id IN (SELECT id FROM families WHERE expires_at < $1 LIMIT $2)",
                now_micros,
            ),
            (
                "DELETE FROM families WHERE id IN (SELECT id FROM families WHERE revoked_at < $1 LIMIT $2)",
                ended,
            ),
            (
                "DELETE FROM one_time_tokens WHERE hash IN \
                 (SELECT hash FROM one_time_tokens WHERE expires_at < $1 LIMIT $2)",
                now_micros,
            ),
            (
                "DELETE FROM mail_counts WHERE key IN (SELECT key FROM mail_counts WHERE ends_at <= $1 LIMIT $2)",
                now_micros,
            ),
            ("DELETE FROM sign_ins WHERE id IN (SELECT id FROM sign_ins WHERE at < $1 LIMIT $2)", old),
        ] {
            let statement = sqlx::query(sql).bind(until).bind(SWEPT_ROWS_MAX);
            statement.execute(&self.pool).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// Truncates the write-ahead log, because it still holds the deleted rows. A concurrent erasure may do the
/// same.
async fn truncate_wal(pool: &SqlitePool) -> StoreResult<()> {
    for _ in 0..TRUNCATE_TRIES_MAX {
        let truncate = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(TRUNCATE)");
        let (is_busy, ..) = truncate.fetch_one(pool).await.map_err(failed)?;
        if is_busy == 0 {
            return Ok(());
        }
        tokio::time::sleep(TRUNCATE_WAIT).await;
    }
    let why = "a reader prevents the truncation of the write-ahead log";
    Err(CredentialsUnavailable(why.to_owned()))
}

#[cfg(test)]
mod tests;
