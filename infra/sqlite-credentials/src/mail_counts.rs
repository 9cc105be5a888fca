//! Counters of sent mails. Each counter is a row with a keyed hash as its key, and ends after one day.

use jiff::Timestamp;
use souk_sign_in::mail_limit::COUNTED;
use souk_sign_in::{CredentialsUnavailable, MailCount};
use sqlx::SqlitePool;

use crate::rows::failed;

/// Adds one mail to a counter. A counter whose day is over starts at 1 again.
const COUNT: &str = "INSERT INTO mail_counts VALUES ($1, $2, 1) ON CONFLICT (key) DO UPDATE SET \
    mails = CASE WHEN ends_at <= $3 THEN 1 ELSE mails + 1 END, \
    ends_at = CASE WHEN ends_at <= $3 THEN excluded.ends_at ELSE ends_at END \
    RETURNING mails";

/// Reads a counter whose day is not over.
const MAILS: &str = "SELECT mails FROM mail_counts WHERE key = $1 AND ends_at > $2";

/// Adds one mail to each counter. Returns false, and counts nothing, if one of them has reached its limit.
pub(crate) async fn count(
    pool: &SqlitePool,
    counts: &[MailCount],
    now: Timestamp,
) -> Result<bool, CredentialsUnavailable> {
    // Read first: a request over the limit needs no write lock, so it neither waits for a writer nor blocks
    // one.
    for count in counts {
        let statement =
            sqlx::query_scalar::<_, i64>(MAILS).bind(count.key.to_vec()).bind(now.as_microsecond());
        let mails = statement.fetch_optional(pool).await.map_err(failed)?;
        if mails.is_some_and(|mails| mails >= i64::from(count.mails_max)) {
            return Ok(false);
        }
    }
    let mut transaction = pool.begin().await.map_err(failed)?;
    for count in counts {
        let statement = sqlx::query_scalar::<_, i64>(COUNT).bind(count.key.to_vec());
        let statement = statement.bind((now + COUNTED).as_microsecond()).bind(now.as_microsecond());
        let mails = statement.fetch_one(&mut *transaction).await.map_err(failed)?;
        if mails > i64::from(count.mails_max) {
            // The transaction is dropped, so nothing is counted.
            return Ok(false);
        }
    }
    transaction.commit().await.map_err(failed)?;
    Ok(true)
}
