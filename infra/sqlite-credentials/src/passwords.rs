//! Changes of passwords. A token that was mailed to reset a password is for the password of that time: it goes in
//! the transaction that sets another, unless the account may be a stranger's.

use jiff::Timestamp;
use souk_domain::CustomerId;
use souk_sign_in::{CredentialsUnavailable, LinksAtReset, Purpose, ResetsAtChange};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::rows::failed;

type Kept<T> = Result<T, CredentialsUnavailable>;

const SET: &str =
    "INSERT INTO passwords VALUES ($1, $2) ON CONFLICT (person) DO UPDATE SET hash = excluded.hash";

pub(crate) async fn set(pool: &SqlitePool, user: &str, hash: &str) -> Kept<()> {
    let mut transaction = pool.begin().await.map_err(failed)?;
    sqlx::query(SET).bind(user).bind(hash).execute(&mut *transaction).await.map_err(failed)?;
    drop_resets(&mut transaction, user).await?;
    transaction.commit().await.map_err(failed)
}

pub(crate) async fn change(
    pool: &SqlitePool,
    user: &str,
    old: &str,
    new: &str,
    resets: ResetsAtChange,
) -> Kept<bool> {
    let mut transaction = pool.begin().await.map_err(failed)?;
    let statement = sqlx::query("UPDATE passwords SET hash = $3 WHERE person = $1 AND hash = $2");
    let statement = statement.bind(user).bind(old).bind(new);
    if statement.execute(&mut *transaction).await.map_err(failed)?.rows_affected() == 0 {
        return Ok(false);
    }
    if resets == ResetsAtChange::Go {
        drop_resets(&mut transaction, user).await?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(true)
}

pub(crate) async fn reset(
    pool: &SqlitePool,
    token: &[u8; 32],
    new: &str,
    links: LinksAtReset,
    now: Timestamp,
) -> Kept<Option<CustomerId>> {
    let mut transaction = pool.begin().await.map_err(failed)?;
    let sql =
        "DELETE FROM one_time_tokens WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING person";
    let statement = sqlx::query_scalar::<_, String>(sql).bind(token.to_vec());
    let statement = statement.bind(Purpose::ResetPassword.as_str()).bind(now.as_microsecond());
    let taken = statement.fetch_optional(&mut *transaction).await.map_err(failed)?;
    let Some(user) = taken.and_then(|person| CustomerId::parse(&person).ok()) else { return Ok(None) };
    sqlx::query(SET).bind(user.as_str()).bind(new).execute(&mut *transaction).await.map_err(failed)?;
    drop_resets(&mut transaction, user.as_str()).await?;
    if links == LinksAtReset::Go {
        let statement = sqlx::query("DELETE FROM links WHERE person = $1").bind(user.as_str());
        statement.execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(Some(user))
}

async fn drop_resets(transaction: &mut Transaction<'_, Sqlite>, user: &str) -> Kept<()> {
    let statement = sqlx::query("DELETE FROM one_time_tokens WHERE person = $1 AND purpose = $2");
    let statement = statement.bind(user).bind(Purpose::ResetPassword.as_str());
    statement.execute(&mut **transaction).await.map_err(failed)?;
    Ok(())
}
