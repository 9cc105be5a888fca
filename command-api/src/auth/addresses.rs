//! E-mail addresses and their aliases.
//!
//! The log has no e-mail address and no hash of one. It has an alias of the address, which is random. The
//! index beside the person keys maps the keyed hash of an address to its alias. When an erasure deletes this
//! entry, nothing connects the address with the events of its account any more, and the next account with the
//! same address gets another alias.
//!
//! Logs from before 2026-11-30 have the keyed hash in place of the alias.

use souk_domain::claim::Claim;
use souk_domain::{Email, EmailHash, UserId};
use souk_http::Problem;

use crate::ports::Ports;

/// Returns the alias of an address, from the index or else from the credentials. If the address has no alias,
/// returns its keyed hash, by which only accounts of older logs are found.
pub async fn alias_of(ports: &Ports, email: &Email) -> Result<EmailHash, Problem> {
    let hash = email.hash(&ports.keys.email_hash);
    match ports.people.alias_of(hash.as_str()).await? {
        Some(alias) => parse(&alias),
        None => Ok(ports.accounts.credentials.email_alias(&hash).await?.unwrap_or(hash)),
    }
}

/// Returns the alias that a new account claims.
///
/// If an account already has the address, the returned alias (or keyed hash, in an older log) is claimed by
/// that account, so the new claim is refused. If the claim of the alias was released, its account was erased,
/// and a restored older copy of the index still contains the alias. Then the address gets a new alias, so
/// that nothing connects the new account with the erased one.
pub async fn alias_to_claim(ports: &Ports, email: &Email) -> Result<EmailHash, Problem> {
    let hash = email.hash(&ports.keys.email_hash);
    if let Some(alias) = ports.people.alias_of(hash.as_str()).await? {
        if is_claimed(ports, &parse(&alias)?).await? == Some(false) {
            ports.people.delete_alias(&alias).await?;
        }
    } else {
        if is_claimed(ports, &hash).await? == Some(true) {
            return Ok(hash);
        }
        // The index of aliases may be lost although the account still exists. The credentials have its alias
        // too.
        if let Some(alias) = ports.accounts.credentials.email_alias(&hash).await?
            && is_claimed(ports, &alias).await? == Some(true)
        {
            return Ok(alias);
        }
    }
    parse(&ports.people.make_alias(hash.as_str()).await?)
}

/// Returns `Some(true)` if an account has claimed the alias, `Some(false)` if the claim was released, and
/// `None` if the alias was never claimed.
async fn is_claimed(ports: &Ports, alias: &EmailHash) -> Result<Option<bool>, Problem> {
    let claim = ports.aggregates.claims.load(&Claim::of_email(alias)).await?;
    Ok(claim.map(|claim| claim.state.holder.is_some()))
}

/// Stores the alias of an account's address with the credentials too, so that the account is found even if
/// the index of aliases is lost. If there is a `password_hash`, the alias is stored only if it is still
/// that of the account, so that nothing is stored about an account that was erased meanwhile.
pub async fn store(
    ports: &Ports,
    user: UserId,
    email: &Email,
    alias: &EmailHash,
    password_hash: Option<&str>,
) -> Result<(), Problem> {
    let hash = email.hash(&ports.keys.email_hash);
    Ok(ports.accounts.credentials.keep_email(&user.customer(), &hash, alias, password_hash).await?)
}

fn parse(text: &str) -> Result<EmailHash, Problem> {
    EmailHash::parse(text).map_err(|error| Problem::internal(&error))
}
