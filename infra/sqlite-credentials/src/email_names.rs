//! E-mail addresses of accounts. Each address is stored as a keyed hash (its name) with its alias.

use souk_domain::{CustomerId, EmailHash};
use souk_sign_in::CredentialsUnavailable;
use sqlx::SqlitePool;

use crate::rows::failed;

/// Stores the name and the alias of a user's e-mail address. With `password`, the row is written only if the
/// user still has this password hash.
pub(crate) async fn keep(
    pool: &SqlitePool,
    user: &CustomerId,
    name: &EmailHash,
    alias: &EmailHash,
    password: Option<&str>,
) -> Result<(), CredentialsUnavailable> {
    let sql = "INSERT INTO email_names SELECT $1, $2, $3 \
               WHERE $4 IS NULL OR EXISTS (SELECT 1 FROM passwords WHERE person = $3 AND hash = $4) \
               ON CONFLICT (name) \
               DO UPDATE SET alias = excluded.alias, person = excluded.person \
               WHERE (alias, person) <> (excluded.alias, excluded.person)";
    let statement =
        sqlx::query(sql).bind(name.as_str()).bind(alias.as_str()).bind(user.as_str()).bind(password);
    statement.execute(pool).await.map(drop).map_err(failed)
}

pub(crate) async fn alias_of(
    pool: &SqlitePool,
    name: &EmailHash,
) -> Result<Option<EmailHash>, CredentialsUnavailable> {
    let statement = sqlx::query_scalar("SELECT alias FROM email_names WHERE name = $1").bind(name.as_str());
    let alias: Option<String> = statement.fetch_optional(pool).await.map_err(failed)?;
    let parse = |alias: String| EmailHash::parse(&alias);
    alias.map(parse).transpose().map_err(|error| CredentialsUnavailable(error.to_string()))
}
