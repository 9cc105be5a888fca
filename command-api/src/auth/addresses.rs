//! E-mail addresses and the aliases that stand for them in the log.
//!
//! An address is found by its keyed hash in the index beside the keys of people. The log holds the alias alone,
//! which is random: once an erasure deletes the row, nothing leads from an address to what the log says of its
//! account, and the next account with the same address gets another alias. Logs of before 2026-11-30 hold the
//! keyed hash itself in the place of an alias.

use souk_domain::claim::Claim;
use souk_domain::{Email, EmailHash, UserId};
use souk_http::Problem;

use crate::shop::Shop;

/// Returns the alias of an address, or its keyed hash: an account of an older log is found by that, and no
/// other is.
pub async fn alias_of(shop: &Shop, email: &Email) -> Result<EmailHash, Problem> {
    let name = email.hash(&shop.keys.email_hash);
    match shop.people.alias_of(name.as_str()).await? {
        Some(alias) => parse(&alias),
        None => Ok(shop.accounts.credentials.email_alias(&name).await?.unwrap_or(name)),
    }
}

/// Returns the alias to claim for a new account. An address that an account of an older log holds keeps its
/// keyed hash, so that the claim is refused. An alias whose claim was given up came back with an older file, after its
/// account was erased: a new account gets another, or else it would be recognised as the same person's.
pub async fn alias_to_claim(shop: &Shop, email: &Email) -> Result<EmailHash, Problem> {
    let name = email.hash(&shop.keys.email_hash);
    if let Some(alias) = shop.people.alias_of(name.as_str()).await? {
        if is_claimed(shop, &parse(&alias)?).await? == Some(false) {
            shop.people.delete_alias(&alias).await?;
        }
    } else {
        if is_claimed(shop, &name).await? == Some(true) {
            return Ok(name);
        }
        // The index of people was lost, and the account was not: the claim is refused by its alias.
        if let Some(alias) = shop.accounts.credentials.email_alias(&name).await?
            && is_claimed(shop, &alias).await? == Some(true)
        {
            return Ok(alias);
        }
    }
    parse(&shop.people.make_alias(name.as_str()).await?)
}

/// Returns true while an account holds an address by this alias, and false once it was given up; none before.
async fn is_claimed(shop: &Shop, alias: &EmailHash) -> Result<Option<bool>, Problem> {
    let claim = shop.claims.load(&Claim::of_email(alias)).await?;
    Ok(claim.map(|claim| claim.state.held.is_some()))
}

/// Keeps the address of an account with the credentials too: a shop that lost its index of people still knows that the
/// address has an account. With the hash of a password it is kept only while that is the account's, so that nothing is
/// kept of an account that is erased meanwhile.
pub async fn keep(
    shop: &Shop,
    user: UserId,
    email: &Email,
    alias: &EmailHash,
    password: Option<&str>,
) -> Result<(), Problem> {
    let name = email.hash(&shop.keys.email_hash);
    Ok(shop.accounts.credentials.keep_email(&user.customer(), &name, alias, password).await?)
}

/// Returns every hash under which sign-ins of an account may be noted: its alias, and the keyed hash of its
/// address, used before the account was there.
pub async fn hashes_of(shop: &Shop, alias: &EmailHash) -> Result<Vec<EmailHash>, Problem> {
    let name = shop.people.name_of(alias.as_str()).await?;
    let mut hashes = vec![alias.clone()];
    if let Some(name) = name {
        hashes.push(parse(&name)?);
    }
    Ok(hashes)
}

fn parse(text: &str) -> Result<EmailHash, Problem> {
    EmailHash::parse(text).map_err(|error| Problem::internal(&error))
}
