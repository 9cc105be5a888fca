//! Changes of passwords. A mailed token to reset a password is valid only for the password of that time: the
//! transaction that sets another password deletes it. With [`ResetsAtChange::Keep`] the tokens stay valid,
//! because somebody else may have registered the account with this e-mail address.

use jiff::Timestamp;
use souk_domain::CustomerId;
use souk_sign_in::{LinksAtReset, Purpose, ResetsAtChange};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::StoreResult;
use crate::rows::failed;

const SET: &str =
    "INSERT INTO passwords VALUES ($1, $2) ON CONFLICT (person) DO UPDATE SET hash = excluded.hash";

pub(crate) async fn set(pool: &SqlitePool, user: &str, hash: &str) -> StoreResult<()> {
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
) -> StoreResult<bool> {
    let mut transaction = pool.begin().await.map_err(failed)?;
    let statement = sqlx::query("UPDATE passwords SET hash = $3 WHERE person = $1 AND hash = $2");
    let statement = statement.bind(user).bind(old).bind(new);
    if statement.execute(&mut *transaction).await.map_err(failed)?.rows_affected() == 0 {
        return Ok(false);
    }
    if resets == ResetsAtChange::Remove {
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
) -> StoreResult<Option<CustomerId>> {
    let mut transaction = pool.begin().await.map_err(failed)?;
    let sql =
        "DELETE FROM one_time_tokens WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING person";
    let statement = sqlx::query_scalar::<_, String>(sql).bind(token.to_vec());
    let statement = statement.bind(Purpose::ResetPassword.as_str()).bind(now.as_microsecond());
    let taken = statement.fetch_optional(&mut *transaction).await.map_err(failed)?;
    let Some(user) = taken.and_then(|person| CustomerId::parse(&person).ok()) else { return Ok(None) };
    sqlx::query(SET).bind(user.as_str()).bind(new).execute(&mut *transaction).await.map_err(failed)?;
    drop_resets(&mut transaction, user.as_str()).await?;
    if links == LinksAtReset::Remove {
        let statement = sqlx::query("DELETE FROM links WHERE person = $1").bind(user.as_str());
        statement.execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(Some(user))
}

async fn drop_resets(transaction: &mut Transaction<'_, Sqlite>, user: &str) -> StoreResult<()> {
    let statement = sqlx::query("DELETE FROM one_time_tokens WHERE person = $1 AND purpose = $2");
    let statement = statement.bind(user).bind(Purpose::ResetPassword.as_str());
    statement.execute(&mut **transaction).await.map_err(failed)?;
    Ok(())
}
